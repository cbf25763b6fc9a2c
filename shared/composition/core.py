"""The composition of a process, and the base of each flow's part."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from shared.composition.adapters import Adapters
from shared.ids import in_milliseconds, new_id
from shared.ports import Clock
from shared.settings import Settings, read_settings


def _utc_now() -> datetime:
    return in_milliseconds(datetime.now(UTC))


class Composition:
    """The adapters and the flows of a process. Tests assign replacements to `adapters`."""

    def __init__(self, settings: Settings, clock: Clock = _utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self.adapters = Adapters(settings)
        self._flows: dict[type[Flow], Flow] = {}

    def flow[F: Flow](self, kind: type[F]) -> F:
        """Return the flow of a kind, the same at every call."""
        if kind not in self._flows:
            self._flows[kind] = kind(self)
        return cast("F", self._flows[kind])


class Flow:
    """The services of a flow, each built on first request."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition

    @property
    def clock(self) -> Clock:
        """The clock of the process: the time now, in UTC."""
        return self._composition.clock

    def new_id(self) -> str:
        """Return a new ULID."""
        return new_id(self.clock())

    @property
    def _settings(self) -> Settings:
        return self._composition.settings

    @property
    def _adapters(self) -> Adapters:
        return self._composition.adapters

    def _flow[F: Flow](self, kind: type[F]) -> F:
        return self._composition.flow(kind)


_current: Composition | None = None


def start(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings and start the process's composition.

    Raises SettingsError that names each setting that is missing or wrong.
    """
    global _current  # noqa: PLW0603 - one composition a process, as its module says
    # At the information level the SDKs log each request's URL, and a path may hold a person's name.
    logging.getLogger("azure").setLevel(logging.WARNING)
    _current = Composition(read_settings(environment))
    return _current.settings


def flow[F: Flow](kind: type[F]) -> F:
    """Return a flow of the process's composition. Raises RuntimeError before `start`."""
    if _current is None:
        raise RuntimeError("the composition was not started")
    return _current.flow(kind)
