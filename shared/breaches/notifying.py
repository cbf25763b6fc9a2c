"""Rounds of notices: each affected tenant gets the next version of its notice, once.

The row of the version, the message and the log entry are one transaction in the tenant's partition.
A second delivery finds the version of the round, or finds that nothing is new.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from shared.accesslog import new_entry
from shared.breaches.notices import (
    MOST_ASSETS,
    TenantNotice,
    make_notice,
    notice_id,
    notice_message,
)
from shared.breaches.rules import Breach, BreachAssessment
from shared.breaches.scoping.rules import TENANT_UNKNOWN, TenantFinding
from shared.breaches.store import TABLE, BreachStore, noticed
from shared.catalogue import BREACH_STEPS_QUEUE, NOTICES_QUEUE
from shared.compare_and_set import compare_and_set
from shared.errors import NotFoundError
from shared.ids import key, new_id
from shared.messages import Outbox, encode
from shared.messages.contracts import AccessRecorded, BreachNoticesDue
from shared.messages.outbox_rows import Outgoing
from shared.ports import (
    Clock,
    Condition,
    Insert,
    Operation,
    OutgoingMessage,
    Replace,
    Row,
    Sender,
    Tables,
)
from shared.rows import Stored, from_values, to_values

_TENANTS_AT_ONCE: Final = 20
_QUEUE: Final = BREACH_STEPS_QUEUE.name


class LatestNotice(Stored, frozen=True):
    """The latest version of the notice of a breach to a tenant."""

    breach: str
    version: int
    round: int
    made_at: datetime
    first_made_at: datetime
    is_drill: bool


class Notifying:
    """Makes the notices of every breach, and shows a tenant its own."""

    def __init__(
        self, store: BreachStore, tables: Tables, outbox: Outbox, bus: Sender, clock: Clock
    ) -> None:
        self._store = store
        self._tables = tables
        self._outbox = outbox
        self._bus = bus
        self._clock = clock

    def message(
        self, breach: Breach, continuation: str | None = None, *, again: bool = False
    ) -> OutgoingMessage:
        """Make the message for the next tenants of a round of notices."""
        due = BreachNoticesDue(
            breach_id=breach.id, notice_round=breach.notice_round, continuation=continuation
        )
        now = self._clock()
        is_first = continuation is None and not again
        identifier = f"{breach.id}-round-{breach.notice_round}" if is_first else new_id(now)
        return encode(_QUEUE, due, identifier=identifier, now=now)

    async def tell(self, breach: str, notice_round: int, continuation: str | None) -> None:
        """Tell the next tenants of a round. A repeated call tells nobody twice."""
        found = await self._store.find(breach)
        if found is None or found[0].notice_round != notice_round:
            return
        state = found[0]
        if state.assessment is None or state.notices_done >= notice_round:
            return
        page, following = await self._store.findings(breach, _TENANTS_AT_ONCE, continuation)
        for finding in page:
            if finding.run == state.scope_run and _is_to_tell(finding):
                await self._tell_one(state, state.assessment, finding)
        if following is not None:
            await self._bus.send([self.message(state, following)])
            return
        await self._end(breach, notice_round)

    async def resume(self, breach: Breach) -> None:
        """Send the message of a round that is not over again, from the first tenant on."""
        if breach.notices_done < breach.notice_round:
            await self._bus.send([self.message(breach, again=True)])

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[LatestNotice], str | None]:
        """Return a page of the notices to a tenant; drills are not shown."""
        page = await self._tables.page(
            TABLE,
            key(tenant),
            prefix=_latest(""),
            size=size,
            continuation=continuation,
            where=[Condition("isDrill", "eq", value=False)],
        )
        return [from_values(LatestNotice, row.values) for row in page.rows], page.continuation

    async def find(
        self, tenant: str, breach: str, version: int | None = None, *, with_drills: bool = False
    ) -> TenantNotice:
        """Return a version of the notice of a breach to a tenant, or the latest.

        Raises NotFoundError where the tenant has no such notice.
        """
        if version is None:
            latest, _ = await self._head(tenant, breach)
            version = 0 if latest is None else latest.version
        row = await self._tables.get(TABLE, key(tenant), _version(breach, version))
        if row is not None:
            notice = from_values(TenantNotice, row.values)
            if with_drills or not notice.is_drill:
                return notice
        raise NotFoundError(
            "breach-notice-not-found",
            "There is no such notice of a breach.",
            "List the tenant's notices of breaches to see which there are.",
        )

    async def assets(
        self, notice: TenantNotice, *, size: int, continuation: str | None
    ) -> tuple[Sequence[str], str | None]:
        """Return a page of the ids of every asset of a notice."""
        finding = TenantFinding(breach=notice.breach, run=notice.run, tenant=notice.tenant)
        return await self._store.assets(finding, size, continuation)

    async def _tell_one(
        self, state: Breach, assessment: BreachAssessment, finding: TenantFinding
    ) -> None:
        assets = await self._store.touched(finding, "", MOST_ASSETS)

        async def attempt() -> LatestNotice:
            latest, etag = await self._head(finding.tenant, state.id)
            if latest is not None and latest.round >= state.notice_round:
                await self._outbox.flush(TABLE, key(finding.tenant))
                return latest
            earlier = None
            if latest is not None:
                earlier = await self.find(finding.tenant, state.id, with_drills=True)
            notice = make_notice(state, assessment, finding, assets, earlier, self._clock())
            if notice is None and latest is not None:
                return latest
            return await self._commit(state, notice, etag)  # type: ignore[arg-type]

        latest = await compare_and_set(attempt)
        await self._note(finding, latest)

    async def _commit(self, state: Breach, notice: TenantNotice, etag: str | None) -> LatestNotice:
        latest = LatestNotice(
            breach=notice.breach,
            version=notice.version,
            round=notice.round,
            made_at=notice.made_at,
            first_made_at=notice.first_made_at,
            is_drill=notice.is_drill,
        )
        partition = key(notice.tenant)
        head = Row(partition, _latest(notice.breach), to_values(latest), etag)
        version = Row(partition, _version(notice.breach, notice.version), to_values(notice))
        operations: list[Operation] = [
            Insert(head) if etag is None else Replace(head),
            Insert(version),
        ]
        outgoing = [] if notice.is_drill else self._outgoing(state, notice)
        await self._outbox.commit(TABLE, partition, operations, outgoing)
        return latest

    def _outgoing(self, state: Breach, notice: TenantNotice) -> Sequence[Outgoing]:
        """Make the message to the contacts, and the entry of the tenant's log.

        A drill reaches nobody outside: it has neither.
        """
        now = self._clock()
        recorded = AccessRecorded(
            tenant=notice.tenant,
            actor=state.told_by or state.opened_by,
            action="breach.notified",
            resource=f"breach-notices/{notice.breach}",
            outcome="allowed",
        )
        data = notice_message(notice, state.id)
        return [
            encode(NOTICES_QUEUE.name, data, identifier=notice_id(notice), now=now),
            new_entry(recorded, new_id(now), now),
        ]

    async def _note(self, finding: TenantFinding, latest: LatestNotice) -> None:
        """Note in the finding that the tenant was told."""

        async def attempt() -> None:
            known = await self._store.finding(finding.breach, finding.tenant)
            if known is not None and known[0].notice_version < latest.version:
                after = noticed(known[0], latest.version, latest.first_made_at)
                await self._store.advance(after, known[1])

        await compare_and_set(attempt)

    async def _end(self, breach: str, notice_round: int) -> None:
        async def attempt() -> None:
            state, etag = await self._store.load(breach)
            if state.notices_done < notice_round:
                over = msgspec.structs.replace(state, notices_done=notice_round)
                await self._store.commit(over, etag)

        await compare_and_set(attempt)

    async def _head(self, tenant: str, breach: str) -> tuple[LatestNotice | None, str | None]:
        row = await self._tables.get(TABLE, key(tenant), _latest(breach))
        return (None, None) if row is None else (from_values(LatestNotice, row.values), row.etag)


def _is_to_tell(finding: TenantFinding) -> bool:
    is_known = TENANT_UNKNOWN not in finding.unknown
    return finding.phase == "done" and is_known and finding.affected != "no"


def _latest(breach: str) -> str:
    return key("latest", breach)


def _version(breach: str, version: int) -> str:
    return key("notice", breach, f"{version:06}")
