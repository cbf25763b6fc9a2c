"""The access log: who did what to a tenant's data, when and for what purpose."""

from shared.accesslog.rules import Entry, entry_message, entry_of
from shared.accesslog.service import AccessLog

__all__ = ["AccessLog", "Entry", "entry_message", "entry_of"]
