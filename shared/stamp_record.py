"""The stamp's own record: acts of the vendor's people that concern no tenant, or no known tenant.

A tenant's access log has each act on the tenant's data. What is left, such as the discarding of a
message that names no tenant, is a row here: a row is written before the act, and never changed.
"""

from collections.abc import Sequence
from datetime import datetime

from shared.catalogue import STAMP_RECORD_TABLE
from shared.ids import new_id, numbered_ids
from shared.messages.contracts import Actor
from shared.ports import Clock, Insert, Row, Tables
from shared.rows import Stored, from_values, to_values

_PARTITION = "record"
_AT_ONCE = 100


class StampAct(Stored, frozen=True):
    """An act: who did what to what, when, and the reason that the actor gave."""

    id: str
    at: datetime
    actor: Actor
    action: str
    resource: str
    reason: str | None = None


class StampRecord:
    """The record of one stamp, in Table Storage."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def add(
        self, actor: Actor, action: str, resources: Sequence[str], reason: str | None = None
    ) -> None:
        """Add an act for each resource; on return the acts are durable.

        Raises UnavailableError: the act must not happen then.
        """
        now = self._clock()
        identifiers = numbered_ids(new_id(now), len(resources))
        rows = [
            Row(_PARTITION, identifier, to_values(act))
            for identifier, act in (
                (
                    one,
                    StampAct(
                        id=one, at=now, actor=actor, action=action, resource=resource, reason=reason
                    ),
                )
                for one, resource in zip(identifiers, resources, strict=True)
            )
        ]
        for start in range(0, len(rows), _AT_ONCE):
            part = [Insert(row) for row in rows[start : start + _AT_ONCE]]
            await self._tables.commit(STAMP_RECORD_TABLE.name, part)

    async def page(
        self, *, size: int, continuation: str | None
    ) -> tuple[Sequence[StampAct], str | None]:
        """Return acts, the oldest first, and the token of the next page."""
        page = await self._tables.page(
            STAMP_RECORD_TABLE.name, _PARTITION, size=size, continuation=continuation
        )
        return [from_values(StampAct, row.values) for row in page.rows], page.continuation
