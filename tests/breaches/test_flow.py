"""The whole way: an incident is assessed, scoped from the logs, decided, and told."""

from collections import Counter

import msgspec
import pytest

from shared.accesslog.reading.filters import EntryFilter
from shared.composition.incidents import IncidentsFlow
from shared.errors import ConflictError, NotFoundError
from tests.breaches.steps import (
    ASSESSMENT,
    OFFICER,
    access,
    asset,
    criteria,
    decided,
    flow,
    incident,
    scoped,
    told,
)
from tests.queues import data_of, peeked


async def notices(bus, tenant):
    found = [data_of(one) for one in await peeked(bus, "notices")]
    return [one for one in found if one.get("tenant") == tenant and "breachId" in one]


async def actions(app, tenant):
    return Counter([one.action async for one in app.log_reading.every(tenant, EntryFilter())])


async def test_each_tenant_gets_a_notice_of_its_own(app, bus, tenant, other):
    mine = [await asset(app, tenant, f"a/{n}.jpg", names=["Kim Larsen"]) for n in range(3)]
    theirs = await asset(app, other, "b/1.jpg", names=["Nora Hahn", "Ola Nordmann"])
    bystander = await asset(app, other, "b/2.jpg", names=["Somebody Else"])
    for one in mine[:2]:
        await access(app, tenant, f"assets/{one}")
    await access(app, tenant, f"assets/{mine[2]}", actor="another-engineer")
    await access(app, other, f"assets/{theirs}")
    await access(app, other, f"assets/{bystander}", outcome="denied")
    number = await incident(app)

    found = await decided(app, number, criteria(app, tenants=(tenant, other)))
    assert (found[tenant].affected, found[tenant].assets, found[tenant].persons) == ("yes", 2, 1)
    assert (found[other].assets, found[other].persons, found[other].attempts) == (1, 2, 1)
    assert found[tenant].log.is_whole
    assert found[tenant].unknown == ()
    assert found[tenant].categories == {"names": 2, "paths": 2, "pictures": 2}

    state = await told(app, number)
    assert (state.notice_round, state.notices_done) == (1, 1)
    desk, notifying = flow(app).desk, flow(app).notifying
    overview = await desk.overview(state)
    assert overview.is_complete
    assert (overview.affected, overview.told, overview.persons) == (2, 2, 3)
    notice = await notifying.find(tenant, number)
    assert set(notice.form.data.assets) == set(mine[:2])
    assert notice.form.persons.approximate_number == 1
    # Nothing of the other tenant's is in the notice.
    text = msgspec.json.encode(notice).decode()
    assert other not in text
    assert theirs not in text
    [message] = await notices(bus, tenant)
    assert message["assetCount"] == 2
    assert message["personCount"] == 1
    assert message["version"] == 1
    assert (await actions(app, tenant))["breach.notified"] == 1
    assert (await actions(app, tenant))["breach.scoped"] == 1


async def test_what_is_new_is_a_further_version_for_those_whom_it_concerns(app, bus, tenant, other):
    one, two = await asset(app, tenant, "a.jpg"), await asset(app, other, "b.jpg")
    await access(app, tenant, f"assets/{one}")
    await access(app, other, f"assets/{two}")
    number = await incident(app)
    await decided(app, number, criteria(app, tenants=(tenant, other)))
    await told(app, number)
    first = await flow(app).notifying.find(tenant, number)
    # A second scope finds more for one of the tenants.
    three = await asset(app, tenant, "c.jpg")
    await access(app, tenant, f"assets/{three}")
    await scoped(app, number, criteria(app, tenants=(tenant, other)))
    await told(app, number)
    second = await flow(app).notifying.find(tenant, number)
    assert (first.version, second.version) == (1, 2)
    assert (first.form.notification, second.form.notification) == ("initial", "additional")
    assert second.form.data.asset_count == 2
    assert second.first_made_at == first.made_at
    assert second.form.times.due_at == first.form.times.due_at
    assert (await flow(app).notifying.find(tenant, number, 1)) == first
    assert (await flow(app).notifying.find(other, number)).version == 1
    assert [one["version"] for one in await notices(bus, tenant)] == [1, 2]
    assert [one["version"] for one in await notices(bus, other)] == [1]


async def test_a_drill_goes_the_whole_way_and_reaches_nobody_outside(app, bus, tenant):
    one = await asset(app, tenant, "a.jpg")
    await access(app, tenant, f"assets/{one}")
    number = await incident(app, is_drill=True)
    await decided(app, number, criteria(app, tenants=(tenant,)))
    await told(app, number)
    notifying = flow(app).notifying
    assert (await notifying.find(tenant, number, with_drills=True)).is_drill
    with pytest.raises(NotFoundError, match="breach-notice-not-found"):
        await notifying.find(tenant, number)
    assert (await notifying.page(tenant, size=10, continuation=None))[0] == []
    assert await notices(bus, tenant) == []
    assert (await actions(app, tenant))["breach.notified"] == 0


async def test_nobody_is_told_before_the_decision_and_the_scope(app, tenant):
    number = await incident(app)
    desk = flow(app).desk
    seen, etag = await desk.open(number, OFFICER)
    with pytest.raises(ConflictError, match="breach-not-decided"):
        await desk.tell(seen, etag, "dpo@vendor.example", OFFICER)
    seen, etag = await desk.assess(seen, etag, ASSESSMENT, OFFICER)
    seen, etag = await desk.decide(seen, etag, "breach", "Seen.", OFFICER)
    with pytest.raises(ConflictError, match="breach-not-scoped"):
        await desk.tell(seen, etag, "dpo@vendor.example", OFFICER)


async def test_an_incident_has_one_assessment(app):
    number = await incident(app)
    desk = flow(app).desk
    first, again = await desk.open(number, OFFICER), await desk.open(number, OFFICER)
    assert first == again
    with pytest.raises(NotFoundError):
        await desk.open("no-such-incident", OFFICER)


async def test_a_critical_incident_is_not_reviewed_without_a_decision(app):
    def whatever(_seen):
        """Take the step from every version of the record."""

    number = await incident(app)
    desk, incidents = flow(app).desk, app.flow(IncidentsFlow).desk
    for step in ("acknowledge", "resolve"):
        await incidents.move(number, whatever, step, OFFICER, "Done.")
    with pytest.raises(ConflictError, match="incident-undecided"):
        await incidents.move(number, whatever, "review", OFFICER, "Done.")
    seen, etag = await desk.open(number, OFFICER)
    seen, etag = await desk.assess(seen, etag, ASSESSMENT, OFFICER)
    seen, etag = await desk.decide(seen, etag, "no-breach", "Test data.", OFFICER)
    # What is found later opens the question again.
    seen, etag = await desk.assess(seen, etag, ASSESSMENT, OFFICER)
    with pytest.raises(ConflictError, match="incident-undecided"):
        await incidents.move(number, whatever, "review", OFFICER, "Done.")
    await desk.decide(seen, etag, "breach", "Real data.", OFFICER)
    reviewed = await incidents.move(number, whatever, "review", OFFICER, "Done.")
    assert reviewed.incident.status == "reviewed"


async def test_a_new_run_replaces_the_findings_of_the_run_before(app, bus, tenant, other):
    one, two = await asset(app, tenant, "a.jpg"), await asset(app, other, "b.jpg")
    await access(app, tenant, f"assets/{one}")
    await access(app, other, f"assets/{two}")
    number = await incident(app)
    await decided(app, number, criteria(app, tenants=(tenant, other)))
    # The first question was too wide.
    await scoped(app, number, criteria(app, tenants=(other,)))
    state = await told(app, number)
    assert await notices(bus, tenant) == []
    assert len(await notices(bus, other)) == 1
    desk = flow(app).desk
    found, _ = await desk.findings(number, size=100, continuation=None)
    assert [finding.tenant for finding in found] == [other]
    assert (await desk.overview(state)).tenants == 1
