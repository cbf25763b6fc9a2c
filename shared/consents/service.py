"""Keeping consent grants. The queue and the portal come in by the same door."""

from collections.abc import Sequence
from datetime import datetime

from shared.accesslog import new_entry
from shared.catalogue import CONSENTS_TABLE, NOTICES_QUEUE
from shared.compare_and_set import compare_and_set
from shared.consents.rules import ConsentDecision, Grant, decide, grant_not_found
from shared.ids import key, new_id
from shared.messages import Outbox, encode
from shared.messages.contracts import ConsentChanged, ConsentGranted, ConsentRevoked
from shared.ports import Clock, Insert, OutgoingMessage, Replace, Row, Tables
from shared.rows import from_values, to_values

_TABLE = CONSENTS_TABLE.name


class Consents:
    """The consent grants of every tenant."""

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock) -> None:
        self._tables = tables
        self._outbox = outbox
        self._clock = clock

    async def apply(self, command: ConsentGranted | ConsentRevoked) -> ConsentDecision:
        """Carry a command out, once however often repeated. Raises the errors of `rules.decide`.

        The log has every change; a decision without a change has no entry. Raises RowConflictError
        when concurrent commands keep changing the grant.
        """

        async def attempt() -> ConsentDecision:
            row = await self._row(command.tenant, command.grant_id)
            state = None if row is None else from_values(Grant, row.values)
            decision = decide(state, command, self._clock())
            await self._commit(row, decision)
            return decision

        return await compare_and_set(attempt)

    async def find(self, tenant: str, grant: str) -> Grant:
        """Return a tenant's grant. Raises NotFoundError where the tenant has no such grant."""
        row = await self._row(tenant, grant)
        if row is None:
            raise grant_not_found()
        return from_values(Grant, row.values)

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Grant], str | None]:
        """Return a page of a tenant's grants, in the order of the ids, and the token of the next
        page.
        """
        page = await self._tables.page(
            _TABLE, key(tenant), prefix=_grant_row(""), size=size, continuation=continuation
        )
        return [from_values(Grant, row.values) for row in page.rows], page.continuation

    async def all(self, tenant: str) -> list[Grant]:
        """Every grant of a tenant."""
        rows = self._tables.scan(_TABLE, key(tenant), prefix=_grant_row(""))
        return [from_values(Grant, row.values) async for row in rows]

    async def _row(self, tenant: str, grant: str) -> Row | None:
        return await self._tables.get(_TABLE, key(tenant), _grant_row(grant))

    async def _commit(self, row: Row | None, decision: ConsentDecision) -> None:
        grant, entry = decision.grant, decision.entry
        partition = key(grant.tenant)
        if entry is None:
            await self._outbox.flush(_TABLE, partition)
            return
        etag = None if row is None else row.etag
        kept = Row(partition, _grant_row(grant.id), to_values(grant), etag)
        operation = Insert(kept) if row is None else Replace(kept)
        now = self._clock()
        await self._outbox.commit(
            _TABLE,
            partition,
            [operation],
            [new_entry(entry, new_id(now), now), *_notices(grant, now)],
        )


def _grant_row(grant: str) -> str:
    return key("grant", grant)


def _notices(grant: Grant, now: datetime) -> list[OutgoingMessage]:
    """Make the notice of a change to the tenant's contacts; none for a grant without terms."""
    if grant.expires_at is None:
        return []
    notice = ConsentChanged(
        tenant=grant.tenant,
        grant_id=grant.id,
        change="granted" if grant.revoked_at is None else "revoked",
        engineer=grant.engineer,
        purpose=grant.purpose,
        ticket=grant.ticket,
        expires_at=grant.expires_at,
        changed_at=now,
    )
    return [encode(NOTICES_QUEUE.name, notice, identifier=new_id(now), now=now)]
