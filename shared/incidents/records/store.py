"""The rows of the records: one partition of the table `incidents`.

The record, its timeline, the states of the matters and the messages that were taken are in one
partition, so that a message and its consequences are one transaction. A row `due` names a record
whose escalation is due at the time in the key. The row counts only as long as the record has the
same time.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.catalogue import INCIDENTS_TABLE
from shared.errors import RowConflictError
from shared.ids import first_id, key, rfc3339
from shared.incidents.records.escalation import escalate
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.matters import Front, Matter, MatterMessage
from shared.incidents.records.rules import Draft, Incident, TimelineEntry
from shared.messages.outbox import Outbox
from shared.messages.outbox_rows import Outgoing
from shared.ports import Clock, Delete, Insert, Operation, Replace, Row, Tables, Upsert, Value
from shared.rows import Stored, from_values, to_values

_TABLE: Final = INCIDENTS_TABLE.name
# No id of a tenant begins so.
_PARTITION: Final = "_records"

logger = logging.getLogger("vouchsafe.incidents")


class IncidentStore:
    """Reads and commits the records of incidents."""

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock) -> None:
        self._tables = tables
        self._outbox = outbox
        self._clock = clock

    async def find(self, incident: str) -> Draft | None:
        """Return a record, to be changed; None for a missing record."""
        row = await self._tables.get(_TABLE, _PARTITION, _record(incident))
        if row is None or row.etag is None:
            return None
        found = from_values(Incident, row.values)
        return Draft(found, found, row.etag)

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
        return await self._state(Matter, _matter(matter))

    async def front(self, front: str) -> tuple[Front, str | None]:
        """Return the latest matters of a kind and a tenant, and the ETag."""
        return await self._state(Front, _front(front))

    async def has(self, name: str) -> bool:
        """Tell whether a message, or a request, with the id `name` has been taken."""
        return await self._tables.get(_TABLE, _PARTITION, _occurrence(name)) is not None

    async def due(self, now: datetime) -> Sequence[Row]:
        """Return some of the rows `due` whose time has come, the earliest first."""
        until = key("due", rfc3339(now)) + "~"
        page = await self._tables.page(_TABLE, _PARTITION, between=(key("due", ""), until))
        return page.rows

    async def of_due(self, row: Row) -> Draft | None:
        """Return the record of a row `due`; None for a row that the record has left behind.

        Such a row is deleted, unless the row has changed since.
        """
        draft = await self.find(str(row.values["incident"]))
        due = None if draft is None else draft.incident.due_at
        if draft is not None and due is not None and _due(draft.incident.id, due) == row.row:
            return draft
        try:
            await self.commit([Delete(_PARTITION, row.row, row.etag)])
        except RowConflictError:
            logger.info("the row of an escalation was changed or deleted by another instance")
        return None

    def plan(self, drafts: Sequence[Draft]) -> tuple[list[Operation], list[Outgoing]]:
        """Take the steps of the escalation that are due; return what keeps the drafts.

        The second list has the notices of the escalation.
        """
        now = self._clock()
        changes: list[Operation] = []
        notices: list[Outgoing] = []
        for draft in drafts:
            notices += escalate(draft, now)
            if draft.is_changed:
                changes += _changes(draft)
        return changes, notices

    async def commit(
        self, operations: Sequence[Operation], outgoing: Sequence[Outgoing] = ()
    ) -> None:
        """Commit operations on the partition, with what follows.

        Raises RowConflictError, with the position of the operation, when a row has changed.
        """
        await self._outbox.commit(_TABLE, _PARTITION, operations, outgoing)

    async def keep(
        self, draft: Draft, operations: Sequence[Operation] = (), outgoing: Sequence[Outgoing] = ()
    ) -> None:
        """Commit a draft and further operations, which come first. Raises as `commit` does."""
        changes, notices = self.plan([draft])
        if not changes and not operations and not outgoing:
            return
        await self.commit([*operations, *changes], [*notices, *outgoing])

    async def send(self, outgoing: Outgoing) -> None:
        """Send what belongs to no change, for certain, even if the process dies."""
        await self._outbox.commit(_TABLE, _PARTITION, [], [outgoing])

    async def flush(self) -> None:
        """Send what a crash left in the outbox of the partition."""
        await self._outbox.flush(_TABLE, _PARTITION)

    async def _state[T: Stored](self, kind: type[T], name: str) -> tuple[T, str | None]:
        row = await self._tables.get(_TABLE, _PARTITION, name)
        return (kind(), None) if row is None else (from_values(kind, row.values), row.etag)


def matter_change(matter: str, state: Matter, etag: str | None) -> Operation:
    """Make the operation that keeps the state of a matter."""
    return _change(_matter(matter), to_values(state), etag)


def front_change(front: str, state: Front, etag: str | None) -> Operation:
    """Make the operation that keeps the latest matters of a kind and a tenant."""
    return _change(_front(front), to_values(state), etag)


def occurrence_row(message: MatterMessage, incident: str) -> Operation:
    """Make the operation that refuses a message that has been taken."""
    values = {"at": rfc3339(message.at), "incident": incident}
    return Insert(Row(_PARTITION, _occurrence(message.id), values))


def request_row(name: str, incident: str) -> Operation:
    """Make the operation that refuses a request with an id that has been taken."""
    return Insert(Row(_PARTITION, _occurrence(name), {"incident": incident}))


def _changes(draft: Draft) -> list[Operation]:
    """Make the operations that keep a record, its timeline, and the row of the next escalation."""
    incident, before = draft.incident, draft.before
    changes = [_change(_record(incident.id), to_values(incident), draft.etag)]
    changes += [
        Insert(Row(_PARTITION, _step(incident.id, entry.number), to_values(entry)))
        for entry in draft.entries
    ]
    due = incident.due_at
    if due is not None and (before is None or due != before.due_at):
        # The timer deletes the row that the record leaves behind.
        values = {"incident": incident.id}
        changes.append(Upsert(Row(_PARTITION, _due(incident.id, due), values)))
    return changes


def _change(name: str, values: dict[str, Value], etag: str | None) -> Operation:
    row = Row(_PARTITION, name, values, etag)
    return Insert(row) if etag is None else Replace(row)


def _record(incident: str) -> str:
    return key("incident", incident)


def _step(incident: str, number: int) -> str:
    return key("timeline", incident, f"{number:08}")


def _matter(matter: str) -> str:
    return key("matter", matter)


def _front(front: str) -> str:
    return key("front", front)


def _occurrence(name: str) -> str:
    return key("occurrence", name)


def _due(incident: str, at: datetime) -> str:
    return key("due", rfc3339(at), incident)
