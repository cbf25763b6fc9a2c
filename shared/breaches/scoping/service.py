"""The computation of a scope: tenant by tenant, batch by batch, as messages on a queue.

A tenant's finding goes through two phases. In `log`, the range of the access log is read; with a
store, the asset records say which assets the store held. In `records`, the record of each touched
asset tells its categories and names. Every step commits the progress under the finding's ETag, so
that a step that is repeated, or a second delivery, counts nothing twice.
"""

import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from shared.accesslog import new_entry
from shared.assets.rules import Asset
from shared.assets.service import ASSETS, asset_row, record_row
from shared.breaches.rules import Breach
from shared.breaches.scoping.log_reading import LogRanges
from shared.breaches.scoping.people import PersonSketch, has_address, person_keys
from shared.breaches.scoping.rules import (
    BYTES_READ_DIRECTLY,
    TENANT_UNKNOWN,
    ScopeCriteria,
    TenantFinding,
    add_categories,
    categories_of,
    completed,
    has_path,
    holds,
    with_unknown,
)
from shared.breaches.store import (
    BreachStore,
    ScopeRun,
    asset_gone,
    sketch_gone,
    sketch_kept,
)
from shared.catalogue import BREACH_STEPS_QUEUE
from shared.consents import Consents
from shared.errors import RefusalError
from shared.ids import key, new_id
from shared.messages import encode
from shared.messages.contracts import AccessRecorded, Actor, BreachTenantDue, BreachTenantsDue
from shared.messages.outbox_rows import OutgoingEntry
from shared.metadata.naming_fields import names_people
from shared.ports import Clock, Condition, Operation, OutgoingMessage, Row, Tables
from shared.rows import from_values
from shared.subjects.notes import NOT_OPENED
from shared.subjects.records import Opened, Records
from shared.tenancy import Tenants

# A transaction has 100 operations: a finding and a message for each tenant, and few more.
_TENANTS_AT_ONCE: Final = 40
_ASSETS_AT_ONCE: Final = 90
_STEPS_A_BATCH: Final = 10
_QUEUE: Final = BREACH_STEPS_QUEUE.name


class Scoping:
    """Computes the scopes of breaches."""

    def __init__(
        self,
        store: BreachStore,
        tenants: Tenants,
        tables: Tables,
        ranges: LogRanges,
        records: Records,
        consents: Consents,
        clock: Clock,
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._tables = tables
        self._ranges = ranges
        self._records = records
        self._consents = consents
        self._clock = clock

    def first_message(self, breach: Breach) -> OutgoingMessage:
        """Make the message that begins the run of a breach's scope."""
        due = BreachTenantsDue(breach_id=breach.id, run=breach.scope_run)
        return encode(
            _QUEUE, due, identifier=f"{breach.id}-run-{breach.scope_run}", now=self._clock()
        )

    async def spread(self, breach: str, run: int, continuation: str | None) -> None:
        """Make the findings of the next tenants, each with the message for its first batch."""
        found = await self._store.find(breach)
        if found is None or found[0].scope is None or found[0].scope_run != run:
            return
        state, criteria = found[0], found[0].scope
        names, following = await self._names(criteria, continuation)
        made: list[tuple[TenantFinding, str | None]] = []
        outgoing: list[OutgoingMessage] = []
        for tenant in names:
            known = await self._store.finding(breach, tenant)
            if known is not None and known[0].run == run:
                finding = known[0]
            else:
                finding = await self._new(state, tenant, known and known[0])
                made.append((finding, known and known[1]))
            if finding.phase != "done":
                outgoing.append(self._message(finding))
        if following is not None:
            due = BreachTenantsDue(breach_id=breach, run=run, continuation=following)
            identifier = new_id(self._clock())
            outgoing.append(encode(_QUEUE, due, identifier=identifier, now=self._clock()))
        progress = ScopeRun(run=run, is_spread=following is None)
        await self._store.spread(progress, breach, made, outgoing)

    async def _names(
        self, criteria: ScopeCriteria, continuation: str | None
    ) -> tuple[Sequence[str], str | None]:
        if criteria.tenants:
            start = int(continuation or 0)
            following = start + _TENANTS_AT_ONCE
            is_last = following >= len(criteria.tenants)
            return criteria.tenants[start:following], None if is_last else str(following)
        page, following_page = await self._tenants.page(
            size=_TENANTS_AT_ONCE, continuation=continuation
        )
        return [tenant.id for tenant in page], following_page

    async def _new(
        self, state: Breach, tenant: str, earlier: TenantFinding | None
    ) -> TenantFinding:
        """Make the finding of a run. What the tenant was told stays from the earlier run."""
        now = self._clock()
        finding = TenantFinding(breach=state.id, run=state.scope_run, tenant=tenant, started_at=now)
        if earlier is not None:
            finding = msgspec.structs.replace(
                finding,
                notice_version=earlier.notice_version,
                first_noticed_at=earlier.first_noticed_at,
            )
        try:
            await self._tenants.require(tenant)
        except RefusalError:
            gone = with_unknown(finding, TENANT_UNKNOWN)
            return msgspec.structs.replace(gone, phase="done", done_at=now)
        return finding

    async def advance(self, tenant: str, breach: str, run: int, batch: int) -> None:
        """Do a batch of a tenant's part of a scope; a repeated batch does nothing."""
        found, known = await self._store.find(breach), await self._store.finding(breach, tenant)
        if found is None or known is None or found[0].scope is None:
            return
        (state, _), (finding, etag) = found, known
        if state.scope_run != run or (finding.run, finding.batch) != (run, batch):
            await self._store.flush(breach)
            return
        for _ in range(_STEPS_A_BATCH):
            if finding.phase == "done":
                return
            finding, etag = await self._step(state, state.scope, finding, etag)  # type: ignore[arg-type]
        if finding.phase != "done":
            following = msgspec.structs.replace(finding, batch=batch + 1)
            await self._store.advance(following, etag, outgoing=[self._message(following)])

    async def resume(self, breach: Breach) -> None:
        """Send again what may have been lost by expiry, for a run that is not over."""
        run = await self._store.run(breach.id)
        if breach.scope is None:
            return
        if run is None or run.run != breach.scope_run or not run.is_spread:
            await self.spread(breach.id, breach.scope_run, None)
            return
        pending = [Condition("phase", "ne", "done"), Condition("run", "eq", breach.scope_run)]
        async for finding in self._store.every_finding(breach.id, pending):
            known = await self._store.finding(breach.id, finding.tenant)
            if known is not None and known[0] == finding:
                await self._store.advance(finding, known[1], outgoing=[self._message(finding)])

    async def _step(
        self, state: Breach, criteria: ScopeCriteria, finding: TenantFinding, etag: str
    ) -> tuple[TenantFinding, str]:
        if finding.phase == "log":
            if criteria.store is not None:
                after = await self._list_store(criteria, finding)
            else:
                after = await self._read_log(criteria, finding)
            return after, await self._store.advance(after, etag)
        return await self._look_up(state, criteria, finding, etag)

    async def _read_log(self, criteria: ScopeCriteria, finding: TenantFinding) -> TenantFinding:
        if finding.log is None:
            return await self._ranges.begin(finding, criteria)
        if finding.next_index < finding.log.end:
            read = await self._ranges.read(finding, finding.log, criteria)
            await self._store.touch(finding, read.assets)
            return read.finding
        ended = await self._ranges.end(finding, finding.log)
        grants = await self._grants(criteria, finding)
        return msgspec.structs.replace(ended, phase="records", after="", grants=grants)

    async def _grants(self, criteria: ScopeCriteria, finding: TenantFinding) -> tuple[str, ...]:
        """Return the grants that entries name, and those of the actor that the window meets."""
        found = dict.fromkeys(finding.grants)
        if criteria.actor is not None:
            for grant in await self._consents.all(finding.tenant):
                if grant.engineer == criteria.actor and len(found) < _ASSETS_AT_ONCE:
                    found[grant.id] = None
        return tuple(found)

    async def _list_store(self, criteria: ScopeCriteria, finding: TenantFinding) -> TenantFinding:
        """List the assets that the store held, from the asset records."""
        finding = with_unknown(finding, BYTES_READ_DIRECTLY)
        first, last = asset_row(finding.after) + ("!" if finding.after else ""), asset_row("~")
        page = await self._tables.page(
            ASSETS, key(finding.tenant), size=1000, between=(first, last)
        )
        held = []
        for row in page.rows:
            if row.values.get("erasedAt"):
                continue
            asset = from_values(Asset, row.values)
            if holds(criteria, asset) and has_path(criteria, asset):
                held.append(asset.id)
        await self._store.touch(finding, held)
        if page.continuation is None:
            return msgspec.structs.replace(finding, phase="records", after="")
        # A page may be empty and still have a successor; the service goes on by row.
        after = page.rows[-1].row.rpartition("|")[2] if page.rows else finding.after
        return msgspec.structs.replace(finding, after=after)

    async def _look_up(
        self, state: Breach, criteria: ScopeCriteria, finding: TenantFinding, etag: str
    ) -> tuple[TenantFinding, str]:
        """Look the records of the next assets up; after the last, end the finding."""
        kept = await self._store.sketch(finding)
        sketch_key = secrets.token_bytes(32) if kept is None else kept[0]
        sketch = PersonSketch(sketch_key, b"" if kept is None else kept[1])
        touched = await self._store.touched(finding, finding.after, _ASSETS_AT_ONCE)
        if not touched:
            persons, is_estimate = sketch.count()
            done = completed(finding, persons, is_estimate=is_estimate, now=self._clock())
            gone = [] if kept is None else [sketch_gone(finding)]
            entry = self._entry(state, finding)
            return done, await self._store.advance(done, etag, gone, [entry])
        dropped: list[Operation] = []
        after = msgspec.structs.replace(finding, after=touched[-1])
        for name, asset, opened in await self._records_of(finding.tenant, touched):
            if criteria.path_prefix is not None and (
                asset is None or not has_path(criteria, asset)
            ):
                dropped.append(asset_gone(finding, name))
                continue
            after = _counted(after, asset, opened, sketch)
        kept_names = sketch_kept(finding, sketch_key, sketch.dump())
        return after, await self._store.advance(after, etag, [*dropped, kept_names])

    async def _records_of(
        self, tenant: str, names: Sequence[str]
    ) -> Sequence[tuple[str, Asset | None, Opened | None]]:
        """Return each asset, None where the asset is erased, with its opened record, if any."""
        rows = {name: await self._row(tenant, asset_row(name)) for name in names}
        records = {name: await self._row(tenant, record_row(name)) for name in names}
        present = [row for row in records.values() if row is not None]
        opened = {one.asset: one for one in await self._records.open(tenant, present)}
        return [(name, _asset(rows[name]), opened.get(name)) for name in names]

    async def _row(self, tenant: str, row: str) -> Row | None:
        return await self._tables.get(ASSETS, key(tenant), row)

    def _message(self, finding: TenantFinding) -> OutgoingMessage:
        due = BreachTenantDue(
            tenant=finding.tenant, breach_id=finding.breach, run=finding.run, batch=finding.batch
        )
        now = self._clock()
        return encode(_QUEUE, due, identifier=new_id(now), now=now)

    def _entry(self, state: Breach, finding: TenantFinding) -> OutgoingEntry:
        """Make the entry that tells the tenant whose log and records were read, and by whom."""
        now = self._clock()
        recorded = AccessRecorded(
            tenant=finding.tenant,
            actor=state.scoped_by or _SYSTEM,
            action="breach.scoped",
            resource=f"breaches/{finding.breach}",
            outcome="allowed",
        )
        return new_entry(recorded, new_id(now), now)


_SYSTEM: Final = Actor(id="vouchsafe.breaches", role="system", organisation="vendor")


def _asset(row: Row | None) -> Asset | None:
    if row is None or row.values.get("erasedAt"):
        return None
    return from_values(Asset, row.values)


def _counted(
    finding: TenantFinding, asset: Asset | None, opened: Opened | None, sketch: PersonSketch
) -> TenantFinding:
    """Count an asset, its categories and its names."""
    fields = []
    for text in opened.texts if opened is not None else ():
        is_name = names_people(text.field)
        fields.append((text.field, is_name, has_address(text.text)))
        if is_name:
            sketch.add(person_keys(text.text))
    unopened = opened is not None and opened.note == NOT_OPENED
    is_partial = asset is not None and (
        opened is None or (opened.note is not None and not unopened)
    )
    return msgspec.structs.replace(
        finding,
        assets=finding.assets + 1,
        erased=finding.erased + (asset is None),
        unopened=finding.unopened + unopened,
        recordless=finding.recordless + is_partial,
        categories=add_categories(finding.categories, categories_of(asset, fields)),
    )
