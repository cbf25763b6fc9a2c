"""Appending to a tenant's access log, and reading it."""

from collections.abc import Sequence
from datetime import datetime

from shared.accesslog.rules import Entry, entry_of
from shared.errors import RowConflictError
from shared.identity.rules import VENDOR_ROLES, Caller
from shared.ids import key, new_id, newest_first
from shared.messages.contracts import AccessRecorded
from shared.ports import Clock, Insert, Row, Tables
from shared.rows import from_values, to_values

_TABLE = "accesslog"


class AccessLog:
    """Each tenant's entries, newest first. Entries are only ever added."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def record(self, recorded: AccessRecorded, identifier: str, time: datetime) -> None:
        """Add an entry; when this returns it is durable. The same id and time twice is one entry.

        Raises UnavailableError when it could not be kept: what it records must not happen then.
        """
        entry = entry_of(recorded, identifier, time)
        row = Row(key(recorded.tenant), newest_first(entry.time, entry.id), to_values(entry))
        try:
            await self._tables.commit(_TABLE, [Insert(row)])
        except RowConflictError:
            return

    async def read(
        self, tenant: str, caller: Caller, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Entry], str | None]:
        """One page of a tenant's entries, newest first, and where to read on.

        A reading by the vendor's people is itself recorded before anything is handed over.
        """
        if caller.roles & VENDOR_ROLES:
            now = self._clock()
            reading = AccessRecorded(
                tenant=tenant,
                actor=caller.actor(),
                action="log.read",
                resource="log/entries",
                outcome="allowed",
            )
            await self.record(reading, new_id(now), now)
        page = await self._tables.page(_TABLE, key(tenant), size=size, continuation=continuation)
        return [from_values(Entry, row.values) for row in page.rows], page.continuation
