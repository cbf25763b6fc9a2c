"""The access log: who did what to a tenant's data, when and for what purpose."""

from shared.accesslog.calls import EventIdReusedError, NewEntry
from shared.accesslog.damage import LogDamagedError
from shared.accesslog.findings import Audit, Finding
from shared.accesslog.rules import entry_message
from shared.accesslog.service import AccessLog, Recorded
from shared.accesslog.store import LogStore

__all__ = [
    "AccessLog",
    "Audit",
    "EventIdReusedError",
    "Finding",
    "LogDamagedError",
    "LogStore",
    "NewEntry",
    "Recorded",
    "entry_message",
]
