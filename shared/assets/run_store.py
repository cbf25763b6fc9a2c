"""The rows of runs: in the tenant's partition of `assets`, so that a changed asset and the
progress of the run are one transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.accesslog import new_entry
from shared.assets.runs import Run, lane_of
from shared.catalogue import ASSETS_TABLE
from shared.errors import NotFoundError
from shared.ids import key, new_id
from shared.messages import Outbox, encode
from shared.messages.contracts import QUEUE_OF, AccessRecorded, Contract
from shared.messages.outbox_rows import Outgoing
from shared.ports import Clock, Condition, Insert, Operation, OutgoingMessage, Replace, Row, Tables
from shared.rows import from_values, to_values

_TABLE: Final = ASSETS_TABLE.name


@dataclass(frozen=True, slots=True)
class RunKind[R: Run]:
    """A kind of run: the row's form and first word, the message of a batch, and the answer for a
    missing run.
    """

    state: type[R]
    word: str
    ready: Callable[[R], Contract]
    not_found: Callable[[], NotFoundError]


class RunStore[R: Run]:
    """Reads and commits the runs of a kind."""

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock, kind: RunKind[R]) -> None:
        self._tables = tables
        self._outbox = outbox
        self._clock = clock
        self._kind = kind

    async def find(self, tenant: str, run: str) -> tuple[R, str] | None:
        """Return a run and the ETag; None for a missing run."""
        row = await self._tables.get(_TABLE, key(tenant), self._row(run))
        if row is None or row.etag is None:
            return None
        return from_values(self._kind.state, row.values), row.etag

    async def load(self, tenant: str, run: str) -> tuple[R, str]:
        """Return a run and the ETag. Raises NotFoundError for a missing run."""
        found = await self.find(tenant, run)
        if found is None:
            raise self._kind.not_found()
        return found

    async def page(
        self, tenant: str, size: int, continuation: str | None
    ) -> tuple[Sequence[R], str | None]:
        """Return a page of a tenant's runs, oldest first, and the token of the next page."""
        page = await self._tables.page(
            _TABLE, key(tenant), prefix=self._row(""), size=size, continuation=continuation
        )
        return [from_values(self._kind.state, row.values) for row in page.rows], page.continuation

    async def unfinished(self, tenant: str) -> Sequence[tuple[R, str]]:
        """Return a tenant's runs that are not completed, each with the ETag."""
        unfinished = [Condition("status", "ne", "completed")]
        rows = self._tables.scan(_TABLE, key(tenant), prefix=self._row(""), where=unfinished)
        return [(from_values(self._kind.state, row.values), row.etag or "") async for row in rows]

    async def commit(
        self,
        state: R,
        etag: str | None,
        *,
        operations: Sequence[Operation] = (),
        outgoing: Sequence[Outgoing] = (),
    ) -> None:
        """Keep a run with `operations` on the tenant's partition; `etag` is None for a new run.

        Raises RowConflictError when the run or a further row has changed.
        """
        row = Row(key(state.tenant), self._row(state.id), to_values(state), etag)
        kept: Operation = Insert(row) if etag is None else Replace(row)
        await self._outbox.commit(_TABLE, row.partition, [*operations, kept], outgoing)

    async def flush(self, tenant: str) -> None:
        """Send what a crash left in the outbox of the tenant's partition."""
        await self._outbox.flush(_TABLE, key(tenant))

    def message(self, state: R) -> OutgoingMessage:
        """Make the message for the run's batch under way.

        A second message for a batch does no harm: the first to end leaves no work to the other.
        """
        now = self._clock()
        ready = self._kind.ready(state)
        return encode(
            QUEUE_OF[type(ready)],
            ready,
            identifier=f"{state.id}-{state.batch}-{new_id(now)}",
            now=now,
            session=lane_of(state.tenant),
        )

    def entry(self, step: AccessRecorded) -> Outgoing:
        """Make the entry for the tenant's log."""
        now = self._clock()
        return new_entry(step, new_id(now), now)

    def _row(self, run: str) -> str:
        return key(self._kind.word, run)
