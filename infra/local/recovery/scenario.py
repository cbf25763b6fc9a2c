"""The scenario file: the jobs of each vault, and the faults of vaults."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

type _Hours = Annotated[float, Meta(ge=0, le=100_000)]
type _Seconds = Annotated[int, Meta(ge=0, le=3600)]


class ScenarioJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A job. Times are hours before the request, and the scenario holds on any day."""

    item: str
    status: str
    started_hours_ago: _Hours
    ended_hours_ago: _Hours | None = None
    operation: str = "Backup"


class VaultFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A vault's failure: `delay` seconds of silence, then `status`, for the first `times` requests.

    `retry_after` is the header's value in seconds.
    """

    status: Annotated[int, Meta(ge=400, le=599)] = 503
    retry_after: _Seconds | None = None
    delay: _Seconds = 0
    times: Annotated[int, Meta(ge=1)] = 1_000_000


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: `{"vaults": {name: [job, ...]}, "faults": {name: fault}}`."""

    vaults: dict[str, tuple[ScenarioJob, ...]]
    faults: dict[str, VaultFault] = {}


class ScenarioFile:
    """The scenario at `path`, read anew for each request, and a count of each fault's requests."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._met: Final[Counter[tuple[str, VaultFault]]] = Counter()

    def read(self) -> Scenario:
        """Read the file. Raises OSError or msgspec.DecodeError when the file cannot be read."""
        return msgspec.json.decode(self._path.read_bytes(), type=Scenario)

    def next_fault(self, scenario: Scenario, vault: str) -> VaultFault | None:
        """Return the fault for the vault's next request, if any, and count the request."""
        fault = scenario.faults.get(vault)
        if fault is None or self._met[vault, fault] >= fault.times:
            return None
        self._met[vault, fault] += 1
        return fault
