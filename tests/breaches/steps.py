"""What the tests of breaches share: incidents, assets with names, accesses, and deliveries."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.assets.rules import Asset
from shared.assets.service import asset_row, record_row
from shared.breaches.rules import Breach, BreachAssessment
from shared.breaches.scoping.rules import ScopeCriteria, TenantFinding
from shared.breaches.severity import SeverityFactors
from shared.catalogue import tenant_container
from shared.composition.breaches import BreachesFlow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.subjects import SubjectsFlow
from shared.ids import key, new_id
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.matters import MatterMessage
from shared.messages.contracts import AccessRecorded, Actor, IncidentOpened, Severity
from shared.metadata.worker.result import MetadataText
from shared.ports import Row, Upsert
from shared.rows import to_values
from tests.compositions import App

OFFICER = Actor(id="officer-1", role="vendor.officer", organisation="vendor")
DPO = Actor(id="dpo-1", role="vendor.dpo", organisation="vendor")
MALLORY = "mallory-of-support"
ASSESSMENT = BreachAssessment(
    is_breach=True,
    factors=SeverityFactors(
        data_kind="simple",
        identification="maximum",
        confidentiality="known-recipients",
        is_malicious=True,
    ),
    what_happened="The token of a support engineer was misused.",
    consequences="Pictures and names may be known to a stranger.",
    measures="The token was revoked.",
)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        now = datetime.now(UTC) + self.ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def flow(app: App) -> BreachesFlow:
    return app.flow(BreachesFlow)


async def incident(app: App, *, severity: Severity = "critical", is_drill: bool = False) -> str:
    """An incident's record; its id."""
    kind = f"test.{app.new_id().lower()}"
    data = IncidentOpened(
        kind=kind,
        severity=severity,
        summary="A token was misused.",
        resource="tokens/1",
        is_drill=is_drill,
    )
    incidents = app.flow(IncidentsFlow)
    await incidents.intake.take([MatterMessage(app.new_id(), app.clock(), data)])
    found, _ = await incidents.desk.page(IncidentFilter(kind=kind), size=10, continuation=None)
    return found[0].id


async def asset(
    app: App,
    tenant: str,
    path: str,
    *,
    names: Sequence[str] = (),
    media_type: str = "image/jpeg",
    texts: Sequence[str] = (),
) -> str:
    """A stored asset with a record that names people; its id."""
    now = app.clock()
    stored = Asset(
        id=new_id(now),
        tenant=tenant,
        path=path,
        canonical_path=path,
        verdict="clean",
        size=10,
        uploaded_at=now,
        filed_at=now,
        container=tenant_container(tenant),
        blob=path,
        media_type=media_type,
        metadata_reader=1,
    )
    found = [MetadataText("Xmp.dc:creator", name, ()) for name in names]
    found += [MetadataText("Xmp.dc:description", text, ()) for text in texts]
    columns = await app.flow(SubjectsFlow).records.seal(stored, found, None, "v1")
    partition = key(tenant)
    await app.tables.commit(
        "assets",
        [
            Upsert(Row(partition, asset_row(stored.id), to_values(stored))),
            Upsert(Row(partition, record_row(stored.id), columns)),
        ],
    )
    return stored.id


async def access(
    app: App,
    tenant: str,
    resource: str,
    *,
    actor: str = MALLORY,
    action: str = "asset.read",
    **more: Any,
) -> None:
    """An access in the tenant's log."""
    recorded = AccessRecorded(
        tenant=tenant,
        actor=Actor(id=actor, role="vendor.support", organisation="vendor"),
        action=action,
        resource=resource,
        outcome=more.pop("outcome", "allowed"),
        **more,
    )
    now = app.clock()
    await app.flow(MessagesFlow).log.record(recorded, new_id(now), now)


def criteria(app: App, **given: Any) -> ScopeCriteria:
    """The last hour, by Mallory."""
    now = app.clock()
    window: dict[str, Any] = {
        "since": now - timedelta(hours=1),
        "until": now + timedelta(minutes=1),
    }
    return ScopeCriteria(**{**window, "actor": MALLORY, **given})


async def scoped(app: App, breach: str, asked: ScopeCriteria) -> dict[str, TenantFinding]:
    """Ask for a scope and deliver its messages to the end; the record and the findings."""
    desk = flow(app).desk
    seen, etag = await desk.find(breach)
    state, _ = await desk.scope(seen, etag, asked, OFFICER)
    await run_scope(app, breach, state.scope_run)
    return await findings(app, breach)


async def run_scope(app: App, breach: str, run: int) -> None:
    """Do what the messages of a run ask for."""
    scoping = flow(app).scoping
    store = flow(app)._store
    state, _ = await store.load(breach)
    continuation = None
    while True:
        assert state.scope is not None
        _, following = await scoping._names(state.scope, continuation)
        await scoping.spread(breach, run, continuation)
        if (continuation := following) is None:
            break
    for finding in [one async for one in store.every_finding(breach)]:
        latest = finding
        while latest.phase != "done":
            await scoping.advance(finding.tenant, breach, run, latest.batch)
            known = await store.finding(breach, finding.tenant)
            assert known is not None
            latest, _ = known


async def findings(app: App, breach: str) -> dict[str, TenantFinding]:
    """The findings by tenant."""
    return {one.tenant: one async for one in flow(app)._store.every_finding(breach)}


async def decided(
    app: App, number: str, asked: ScopeCriteria, assessment: BreachAssessment = ASSESSMENT
) -> dict[str, TenantFinding]:
    """Open, assess, scope and decide; the findings."""
    desk = flow(app).desk
    await desk.open(number, OFFICER)
    seen, etag = await desk.find(number)
    seen, etag = await desk.assess(seen, etag, assessment, OFFICER)
    await desk.decide(seen, etag, "breach", "Personal data were seen.", DPO)
    return await scoped(app, number, asked)


async def told(app: App, number: str) -> Breach:
    """Begin a round of notices and deliver its messages to the end; the record."""
    desk = flow(app).desk
    seen, etag = await desk.find(number)
    state, _ = await desk.tell(seen, etag, "dpo@vendor.example", DPO)
    await run_round(app, number, state.notice_round)
    return (await desk.find(number))[0]


async def run_round(app: App, number: str, notice_round: int) -> None:
    """Do what the messages of a round ask for."""
    notifying, store = flow(app).notifying, flow(app)._store
    continuation = None
    while True:
        await notifying.tell(number, notice_round, continuation)
        _, continuation = await store.findings(number, 20, continuation)
        if continuation is None:
            return
