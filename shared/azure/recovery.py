"""What recovery vaults report, read from a scenario file."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.errors import UnavailableError
from shared.ports import BackupJob, Clock

# Source: "Job status", Azure Backup REST API (backupstorageconfig 2024-04-01).
type _Status = Literal[
    "InProgress", "Completed", "Failed", "CompletedWithWarnings", "Cancelled", "Cancelling"
]
type _Hours = Annotated[float, Meta(ge=0, le=100_000)]

logger = logging.getLogger("vouchsafe.recovery")


class _Job(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    item: str
    status: _Status
    started_hours_ago: _Hours
    ended_hours_ago: _Hours | None = None


class _Scenario(msgspec.Struct, forbid_unknown_fields=True):
    vaults: dict[str, tuple[_Job, ...]]


class ScenarioVaults:
    """`shared.ports.RecoveryVaults` from a JSON file: `{"vaults": {name: [job, ...]}}`.

    Times in it are hours before the moment of asking, so that the same scenario holds on any day.
    A vault that the file does not name, or a file that cannot be read, is a vault that does not
    answer.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    async def backup_jobs(
        self, vault: str, since: datetime, until: datetime
    ) -> Sequence[BackupJob]:
        """The jobs of a vault. Raises UnavailableError as the class says."""
        try:
            data = await asyncio.to_thread(self._path.read_bytes)
            listed = msgspec.json.decode(data, type=_Scenario).vaults[vault]
        except KeyError as error:
            raise UnavailableError("recovery") from error
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            logger.warning("the recovery scenario cannot be read: %s", error)
            raise UnavailableError("recovery") from error
        now = self._clock()
        jobs = [_job(one, now) for one in listed]
        return [
            job for job in jobs if job.started < until and (job.ended is None or job.ended >= since)
        ]


def _job(listed: _Job, now: datetime) -> BackupJob:
    ended = listed.ended_hours_ago
    return BackupJob(
        item=listed.item,
        status=listed.status,
        started=now - timedelta(hours=listed.started_hours_ago),
        ended=None if ended is None else now - timedelta(hours=ended),
    )
