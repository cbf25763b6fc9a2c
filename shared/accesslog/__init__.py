"""The access log: a record of each access to a tenant's data, with actor, time and purpose.

Every flow writes to the log and few functions read the log. Each part is therefore imported on
first use: an import of every part would be a quarter of a cold start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.accesslog.entries import new_entry
    from shared.accesslog.integrity.findings import Audit, Finding
    from shared.accesslog.service import AccessLog, Recorded
    from shared.accesslog.storage.errors import EventIdReusedError, LogDamagedError
    from shared.accesslog.storage.pending import NewEntry
    from shared.accesslog.storage.store import LogStore

__all__ = [
    "AccessLog",
    "Audit",
    "EventIdReusedError",
    "Finding",
    "LogDamagedError",
    "LogStore",
    "NewEntry",
    "Recorded",
    "new_entry",
]

_MODULES = {
    "AccessLog": "service",
    "Audit": "integrity.findings",
    "EventIdReusedError": "storage.errors",
    "Finding": "integrity.findings",
    "LogDamagedError": "storage.errors",
    "LogStore": "storage.store",
    "NewEntry": "storage.pending",
    "Recorded": "service",
    "new_entry": "entries",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any object by name (PEP 562)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
