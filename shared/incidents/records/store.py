"""The rows of the records: one partition of the table `incidents`.

The record, its timeline, the state of the matter and the occurrences are in one partition, so that
a message and its consequences are one transaction.
"""

from collections.abc import Sequence
from typing import Final

from shared.catalogue import INCIDENTS_TABLE
from shared.ids import first_id, key, rfc3339
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.occurrences import Matter, MatterMessage
from shared.incidents.records.rules import Incident, TimelineEntry, incident_not_found
from shared.messages.outbox import Outbox
from shared.messages.outbox_rows import Outgoing
from shared.ports import Insert, Operation, Replace, Row, Tables, Value
from shared.rows import from_values, to_values

_TABLE: Final = INCIDENTS_TABLE.name
# No id of a tenant begins so.
_PARTITION: Final = "_records"


class IncidentStore:
    """Reads and commits the records of incidents."""

    def __init__(self, tables: Tables, outbox: Outbox) -> None:
        self._tables = tables
        self._outbox = outbox

    async def find(self, incident: str) -> tuple[Incident, str] | None:
        """Return a record and the ETag; None for a missing record."""
        row = await self._tables.get(_TABLE, _PARTITION, _record(incident))
        if row is None or row.etag is None:
            return None
        return from_values(Incident, row.values), row.etag

    async def load(self, incident: str) -> tuple[Incident, str]:
        """Return a record and the ETag. Raises NotFoundError for a missing record."""
        found = await self.find(incident)
        if found is None:
            raise incident_not_found()
        return found

    async def page(
        self, wanted: IncidentFilter, size: int, continuation: str | None
    ) -> tuple[Sequence[Incident], str | None]:
        """Return a page of the records that `wanted` lets through, oldest first, and the token."""
        first = _record("") if wanted.since is None else _record(first_id(wanted.since))
        last = _record("~") if wanted.until is None else _record(first_id(wanted.until))
        page = await self._tables.page(
            _TABLE,
            _PARTITION,
            size=size,
            continuation=continuation,
            between=(first, last),
            where=wanted.conditions,
        )
        return [from_values(Incident, row.values) for row in page.rows], page.continuation

    async def latest(self, incident: Incident, count: int) -> Sequence[TimelineEntry]:
        """Return the latest entries of an incident's timeline, at most `count`, oldest first."""
        first = max(incident.steps - count + 1, 1)
        keys = [_step(incident.id, number) for number in (first, incident.steps)]
        rows = self._tables.between(_TABLE, _PARTITION, *keys, size=count)
        return [from_values(TimelineEntry, row.values) async for row in rows]

    async def timeline(
        self, incident: str, size: int, continuation: str | None
    ) -> tuple[Sequence[TimelineEntry], str | None]:
        """Return a page of an incident's timeline, oldest first, and the token of the next page."""
        page = await self._tables.page(
            _TABLE,
            _PARTITION,
            prefix=key("timeline", incident, ""),
            size=size,
            continuation=continuation,
        )
        return [from_values(TimelineEntry, row.values) for row in page.rows], page.continuation

    async def matter(self, matter: str) -> tuple[Matter, str | None]:
        """Return the state of a matter and the ETag, which is None for a new matter."""
        row = await self._tables.get(_TABLE, _PARTITION, _matter(matter))
        if row is None:
            return Matter(), None
        return from_values(Matter, row.values), row.etag

    async def has(self, message: MatterMessage) -> bool:
        """Tell whether the message has been taken."""
        return await self._tables.get(_TABLE, _PARTITION, _occurrence(message)) is not None

    async def commit(
        self,
        incident: Incident,
        etag: str | None,
        entries: Sequence[TimelineEntry],
        *,
        operations: Sequence[Operation] = (),
        outgoing: Sequence[Outgoing] = (),
    ) -> None:
        """Keep a record with entries of the timeline; `etag` is None for a new record.

        Raises RowConflictError when the record, or a further row of `operations`, has changed.
        """
        kept = [
            record_change(incident, etag),
            *(timeline_row(incident.id, entry) for entry in entries),
        ]
        await self._outbox.commit(_TABLE, _PARTITION, [*kept, *operations], outgoing)

    async def keep(
        self, operations: Sequence[Operation], outgoing: Sequence[Outgoing] = ()
    ) -> None:
        """Commit operations on the partition. Raises RowConflictError with the position."""
        await self._outbox.commit(_TABLE, _PARTITION, operations, outgoing)

    async def flush(self) -> None:
        """Send what a crash left in the outbox of the partition."""
        await self._outbox.flush(_TABLE, _PARTITION)


def record_change(incident: Incident, etag: str | None) -> Operation:
    """Make the operation that keeps a record."""
    return _change(_record(incident.id), to_values(incident), etag)


def matter_change(matter: str, state: Matter, etag: str | None) -> Operation:
    """Make the operation that keeps the state of a matter."""
    return _change(_matter(matter), to_values(state), etag)


def timeline_row(incident: str, entry: TimelineEntry) -> Operation:
    """Make the operation that adds an entry to the timeline of an incident."""
    return Insert(Row(_PARTITION, _step(incident, entry.number), to_values(entry)))


def occurrence_row(message: MatterMessage, incident: str | None) -> Operation:
    """Make the operation that refuses a message that has been taken."""
    values = {"at": rfc3339(message.at), "incident": incident or ""}
    return Insert(Row(_PARTITION, _occurrence(message), values))


def _change(name: str, values: dict[str, Value], etag: str | None) -> Operation:
    row = Row(_PARTITION, name, values, etag)
    return Insert(row) if etag is None else Replace(row)


def _record(incident: str) -> str:
    return key("incident", incident)


def _step(incident: str, number: int) -> str:
    return key("timeline", incident, f"{number:08}")


def _matter(matter: str) -> str:
    return key("matter", matter)


def _occurrence(message: MatterMessage) -> str:
    return key("occurrence", message.id)
