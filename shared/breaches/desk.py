"""The desk of breaches: people open, assess, scope, decide and tell; the register shows it all."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from shared.accesslog import new_entry
from shared.breaches import rules
from shared.breaches.notifying import Notifying
from shared.breaches.rules import (
    Breach,
    BreachAssessment,
    BreachVerdict,
    IncidentFacts,
    IncidentMark,
)
from shared.breaches.scoping.rules import TENANT_UNKNOWN, ScopeCriteria, TenantFinding
from shared.breaches.scoping.service import Scoping
from shared.breaches.store import BreachStore
from shared.compare_and_set import compare_and_set
from shared.errors import RowConflictError
from shared.ids import new_id
from shared.messages.contracts import AccessRecorded, Actor
from shared.messages.outbox_rows import Outgoing
from shared.ports import Clock

type FactsOf = Callable[[str], Awaitable[IncidentFacts]]
"""Returns the facts of an incident. Raises NotFoundError for a missing incident."""

type MarkIncident = Callable[[str, IncidentMark, str, Actor], Awaitable[None]]
"""Keeps a decision, with its reason and author, in the record of the incident; safe to repeat."""

# A transaction takes an entry for each.
_FINDINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a breach's scope and notices over all tenants.

    `pending` findings are under way. `persons` is None where some tenant's number is unknown and
    no number is known. `told_at` is the time at which the last affected tenant got its first
    notice; None while one waits.
    """

    is_complete: bool
    tenants: int
    pending: int
    affected: int
    undetermined: int
    unknown_tenants: int
    told: int
    assets: int
    persons: int | None
    told_at: datetime | None


class BreachDesk:
    """The breaches of the stamp, for the people who handle them."""

    def __init__(
        self,
        store: BreachStore,
        scoping: Scoping,
        notifying: Notifying,
        facts: FactsOf,
        mark: MarkIncident,
        clock: Clock,
    ) -> None:
        self._store = store
        self._scoping = scoping
        self._notifying = notifying
        self._facts = facts
        self._mark = mark
        self._clock = clock

    async def open(self, incident: str, actor: Actor) -> tuple[Breach, str]:
        """Open the assessment of an incident; an open assessment stays as it is."""
        found = await self._store.find(incident)
        if found is None:
            opened = rules.open_breach(await self._facts(incident), actor, self._clock())
            with suppress(RowConflictError):
                await self._store.commit(opened, None)
            found = await self._store.load(incident)
        return found

    async def find(self, breach: str) -> tuple[Breach, str]:
        """Return a record and the ETag. Raises NotFoundError for a missing record."""
        return await self._store.load(breach)

    async def page(
        self, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Breach], str | None]:
        """Return a page of the register, by id, and the token of the next page."""
        return await self._store.page(size, continuation)

    async def findings(
        self, breach: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[TenantFinding], str | None]:
        """Return a page of the findings of the latest run, by tenant. Raises NotFoundError.

        A page may be short, or empty, and still have a next page.
        """
        state, _ = await self._store.load(breach)
        found, following = await self._store.findings(breach, min(size, _FINDINGS), continuation)
        return [one for one in found if one.run == state.scope_run], following

    async def record_reading(self, findings: Sequence[TenantFinding], actor: Actor) -> None:
        """Record in the log of each tenant that `actor` reads the tenant's finding.

        The entries go through the outbox: people must be able to read of a damaged log.
        """
        now = self._clock()
        entries = [
            new_entry(_viewed(finding, actor), new_id(now), now)
            for finding in findings
            if TENANT_UNKNOWN not in finding.unknown
        ]
        if entries:
            await self._store.record(findings[0].breach, entries)

    async def assess(
        self, seen: Breach, etag: str, assessment: BreachAssessment, actor: Actor
    ) -> tuple[Breach, str]:
        """Take an assessment of a breach that was `seen` with `etag`."""
        after = rules.assess(seen, assessment, actor, self._clock())
        await self._store.commit(after, etag)
        await self._mark_incident(after)
        return await self._store.load(after.id)

    async def decide(
        self, seen: Breach, etag: str, verdict: BreachVerdict, reason: str, actor: Actor
    ) -> tuple[Breach, str]:
        """Take a decision of the DPO, and keep the decision in the record of the incident."""
        after = rules.decide(seen, verdict, reason, actor, self._clock())
        await self._store.commit(after, etag)
        await self._mark_incident(after)
        return await self._store.load(after.id)

    async def report(
        self, seen: Breach, etag: str, deadline: str, at: datetime
    ) -> tuple[Breach, str]:
        """Record a report of the vendor to an authority."""
        return await self._keep(rules.report_done(seen, deadline, at, self._clock()), etag)

    async def scope(
        self, seen: Breach, etag: str, criteria: ScopeCriteria, actor: Actor
    ) -> tuple[Breach, str]:
        """Ask for the scope of a breach."""
        after = rules.ask_scope(seen, criteria, actor, self._clock())
        return await self._keep(after, etag, [self._scoping.first_message(after)])

    async def tell(self, seen: Breach, etag: str, contact: str, actor: Actor) -> tuple[Breach, str]:
        """Begin a round of notices."""
        after = rules.tell(seen, contact, actor)
        return await self._keep(after, etag, [self._notifying.message(after)])

    async def overview(self, breach: Breach) -> Overview:
        """Return the state of the scope and of the notices. Reads every tenant's finding."""
        tenants = pending = affected = undetermined = unknown = told = assets = 0
        persons: int | None = None
        told_at: datetime | None = None
        async for finding in self._store.every_finding(breach.id):
            if finding.run != breach.scope_run:
                continue
            tenants += 1
            if TENANT_UNKNOWN in finding.unknown:
                unknown += 1
                continue
            pending += finding.phase != "done"
            assets += finding.assets
            if finding.affected == "no":
                continue
            affected += finding.affected == "yes"
            undetermined += finding.affected == "undetermined" and finding.phase == "done"
            if finding.persons is not None:
                persons = (persons or 0) + finding.persons
            if finding.first_noticed_at is not None:
                told += 1
                told_at = max(told_at or finding.first_noticed_at, finding.first_noticed_at)
        run = await self._store.run(breach.id)
        is_spread = run is not None and run.run == breach.scope_run and run.is_spread
        is_complete = is_spread and not pending
        is_told = is_complete and told >= affected + undetermined
        if is_complete and not affected and not undetermined:
            persons = 0
        return Overview(
            is_complete=is_complete,
            tenants=tenants,
            pending=pending,
            affected=affected,
            undetermined=undetermined,
            unknown_tenants=unknown,
            told=told,
            assets=assets,
            persons=persons,
            told_at=told_at if is_told else None,
        )

    async def resume(self) -> None:
        """Go on with scopes and rounds whose messages have expired, and with marks of decisions."""
        async for breach in self._store.every():
            await self.resume_one(breach.id)

    async def resume_one(self, breach: str) -> None:
        """Go on with one breach. Raises NotFoundError."""
        state, _ = await self._store.load(breach)
        await self._mark_incident(state)
        await self._scoping.resume(state)
        await self._notifying.resume(state)

    async def _mark_incident(self, breach: Breach) -> None:
        """Keep the decision in the record of the incident, where the record has another."""
        mark, decision = breach.mark, breach.decision
        if breach.marked == mark:
            return
        text = "A new assessment needs a new decision." if decision is None else decision.reason
        actor = breach.opened_by if decision is None else decision.decided_by
        await self._mark(breach.id, mark, text, actor)

        async def attempt() -> None:
            state, etag = await self._store.load(breach.id)
            if state.mark == mark != state.marked:
                await self._store.commit(msgspec.structs.replace(state, marked=mark), etag)

        await compare_and_set(attempt)

    async def _keep(
        self, after: Breach, etag: str, outgoing: Sequence[Outgoing] = ()
    ) -> tuple[Breach, str]:
        await self._store.commit(after, etag, outgoing)
        return await self._store.load(after.id)


def _viewed(finding: TenantFinding, actor: Actor) -> AccessRecorded:
    return AccessRecorded(
        tenant=finding.tenant,
        actor=actor,
        action="breach-finding.viewed",
        resource=f"breaches/{finding.breach}",
        outcome="allowed",
    )
