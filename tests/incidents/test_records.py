"""Messages become records, and people handle the records, on the whole stack."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.messages.contracts import Actor
from tests.compositions import composed
from tests.incidents.conftest import cleared, opened
from tests.incidents.desks import Desk
from tests.journeys.portal import Portal

NOW = datetime.now(UTC)
PROBLEM = "urn:vouchsafe:problem:"


@pytest.fixture
def desk(http, token):
    return Desk(http, token(roles="vendor.it_supervisor", oid="sam"))


@pytest.fixture
def dpo(http, token):
    return Desk(http, token(roles="vendor.dpo", oid="dora"))


@pytest.fixture
async def app(stack):
    """The app within the test's own process, beside the app of the stack's host."""
    async with composed(stack.settings) as app:
        yield app


async def test_an_incident_is_recorded_listed_read_and_acknowledged(desk, send, kind):
    await send(opened(kind, at=NOW, beganAt="2026-01-02T03:04:05Z"))
    listed = await desk.only(kind=kind)
    assert (listed["status"], listed["severity"], listed["owner"]) == ("open", "critical", None)
    record, etag = await desk.read(listed["id"])
    assert record["beganAt"] == "2026-01-02T03:04:05Z"
    assert record["summary"] == "Something broke."
    answer = await desk.put(record["id"], "acknowledgement", etag, {"text": "On my way."})
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["status"], after["owner"]) == ("acknowledged", "sam")
    steps = [(one["action"], one["text"]) for one in after["timeline"]]
    assert steps == [
        ("opened", "Something broke."),
        ("escalated", "Told: vendor.it_supervisor, vendor.officer. Step: critical-0."),
        ("acknowledged", "On my way."),
    ]
    again = await desk.put(record["id"], "acknowledgement", etag)
    assert (again.status_code, again.json()["type"]) == (412, PROBLEM + "if-match-failed")
    again = await desk.put(record["id"], "acknowledgement", answer.headers["ETag"])
    assert (again.status_code, again.json()["type"]) == (409, PROBLEM + "incident-status-differs")


async def test_the_same_matter_again_is_an_occurrence_and_a_duplicate_is_nothing(desk, send, kind):
    first = opened(kind, at=NOW)
    await send(first, opened(kind, at=NOW + timedelta(seconds=1)))
    await desk.only(kind=kind, occurrences=2)
    # The queue's own detection of duplicates goes by the message's id; ours by the event's.
    await send({**first}, opened(kind, at=NOW + timedelta(seconds=2)))
    await desk.only(kind=kind, occurrences=3)


async def test_a_burst_leaves_a_person_able_to_act_on_what_the_person_has_seen(desk, send, kind):
    await send(opened(kind))
    incident = (await desk.only(kind=kind))["id"]
    _, etag = await desk.read(incident)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send(*(opened(kind) for _ in range(300))))
        await asyncio.sleep(0.2)
        answer = await desk.put(incident, "acknowledgement", etag)
    assert answer.status_code == 200, answer.text
    await desk.only(kind=kind, occurrences=301)
    record, _ = await desk.read(incident)
    assert (record["status"], record["steps"]) == ("acknowledged", answer.json()["steps"])


async def test_a_matter_that_is_over_closes_its_incident(desk, send, kind):
    await send(opened(kind, at=NOW))
    incident = await desk.only(kind=kind)
    await send(cleared(kind, at=NOW + timedelta(seconds=1)))
    for _ in range(100):
        record, _ = await desk.read(incident["id"])
        if record["status"] == "resolved":
            break
    assert (record["status"], record["resolution"]) == ("resolved", "It works again.")


async def reported(desk, kind, **changed):
    """An incident that a person reports; the record and the ETag."""
    body = {"kind": kind, "severity": "critical", "summary": "s", "resource": "things/1"} | changed
    answer = await desk.post("incidents", body)
    assert answer.status_code == 201, answer.text
    return answer.json(), answer.headers["ETag"]


async def test_a_person_reports_an_incident_once_for_each_key(desk, kind):
    body = {"kind": kind, "severity": "warning", "summary": "s", "resource": "r", "isDrill": True}
    first = await desk.post("incidents", body, key=kind)
    again = await desk.post("incidents", body, key=kind)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["Location"] == f"/api/incidents/{first.json()['id']}"
    other = await desk.post("incidents", body | {"summary": "t"}, key=kind)
    assert (other.status_code, other.json()["type"]) == (422, PROBLEM + "idempotency-key-reused")
    assert [one["isDrill"] for one in await desk.list(kind=kind, drill="true")] == [True]
    assert await desk.list(kind=kind, drill="false") == []


async def test_an_incident_goes_through_every_step(desk, dpo, kind, app):
    record, etag = await reported(desk, kind)
    incident = record["id"]
    for step, body, status in (
        ("acknowledgement", {}, "acknowledged"),
        ("owner", {"owner": "ida"}, "acknowledged"),
        ("containment", {"text": "Switched off."}, "contained"),
        ("resolution", {"text": "Mended."}, "resolved"),
        ("reopening", {"text": "Not mended."}, "open"),
        ("acknowledgement", {}, "acknowledged"),
        ("resolution", {"text": "Mended now."}, "resolved"),
    ):
        answer = await desk.put(incident, step, etag, body)
        assert answer.status_code == 200, (step, answer.text)
        assert answer.json()["status"] == status
        etag = answer.headers["ETag"]
    note = await desk.post(f"incidents/{incident}/notes", {"text": "Noted."}, etag, key=kind)
    assert note.status_code == 201, note.text
    # The same note again, with the ETag of then, is the same note.
    again = await desk.post(f"incidents/{incident}/notes", {"text": "Noted."}, etag, key=kind)
    assert again.json()["steps"] == note.json()["steps"]
    etag = note.headers["ETag"]
    early = await desk.put(incident, "review", etag, {"text": "Learnt."})
    assert (early.status_code, early.json()["type"]) == (409, PROBLEM + "incident-undecided")
    actor = Actor(id="dora", role="vendor.dpo", organisation="vendor")
    await app.desk.assess(incident, "no-breach", "No data was touched.", actor)
    await app.desk.assess(incident, "no-breach", "No data was touched.", actor)
    _, etag = await dpo.read(incident)
    answer = await dpo.put(incident, "review", etag, {"text": "Learnt."})
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["status"], after["owner"], after["resolution"]) == (
        "reviewed",
        "ida",
        "Mended now.",
    )
    steps = [one["action"] for one in after["timeline"] if one["action"] != "escalated"]
    assert steps == [
        "opened",
        "acknowledged",
        "assigned",
        "contained",
        "resolved",
        "reopened",
        "acknowledged",
        "resolved",
        "noted",
        "assessed",
        "reviewed",
    ]
    for step in ("acknowledgement", "containment", "resolution", "review", "reopening"):
        late = await desk.put(incident, step, answer.headers["ETag"], {"text": "x"})
        assert (late.status_code, late.json()["type"]) == (
            409,
            PROBLEM + "incident-status-differs",
        )
    paged = await desk.get(f"incidents/{incident}/timeline", limit="2")
    assert [one["number"] for one in paged.json()["timeline"]] == [1, 2]
    assert paged.json()["continuation"]


async def test_each_step_about_a_tenant_is_in_the_tenants_log(stack, desk, kind):
    async with Portal(stack, kind.replace(".", "-")) as portal:
        record, etag = await reported(desk, kind, tenant=portal.tenant)
        answer = await desk.put(record["id"], "acknowledgement", etag)
        await desk.read(record["id"])
        resource = {"resource": f"incidents/{record['id']}"}
        entries = (await portal.mine("GET", "log/entries", params=resource)).json()["entries"]
    found = {one["action"]: one for one in entries}
    assert set(found) == {"incident.opened", "incident.acknowledged", "incident.viewed"}
    assert found["incident.acknowledged"]["actor"]["id"] == "sam"
    links = answer.json()["logEntries"]
    assert links == [one["logEntry"] for one in answer.json()["timeline"] if one["logEntry"]]
    assert len(links) == 2


async def test_an_incident_of_an_unknown_tenant_is_kept_and_reported_by_nobody(desk, send, kind):
    await send(opened(kind, tenant="nobody-of-ours"))
    listed = await desk.only(kind=kind, tenant="nobody-of-ours")
    record, etag = await desk.read(listed["id"])
    assert record["isTenantKnown"] is False
    assert (await desk.put(record["id"], "acknowledgement", etag)).status_code == 200
    body = {"kind": kind, "severity": "warning", "summary": "s", "resource": "r"}
    refused = await desk.post("incidents", body | {"tenant": "nobody-of-ours"})
    assert (refused.status_code, refused.json()["type"]) == (404, PROBLEM + "tenant-not-found")


@pytest.mark.parametrize(
    ("method", "path", "body", "etag", "status", "problem"),
    [
        ("GET", "incidents?status=lost", None, None, 422, "query-invalid"),
        ("GET", "incidents?severity=bad", None, None, 422, "query-invalid"),
        ("GET", "incidents?from=yesterday", None, None, 422, "query-invalid"),
        ("GET", "incidents?drill=maybe", None, None, 422, "query-invalid"),
        ("GET", "incidents?limit=0", None, None, 422, "limit-invalid"),
        ("GET", "incidents/none", None, None, 404, "incident-not-found"),
        ("PUT", "incidents/none/review", {"text": "x"}, '"x"', 404, "incident-not-found"),
        ("PUT", "incidents/{}/review", {}, '"x"', 400, "body-invalid"),
        ("PUT", "incidents/{}/resolution", {"text": ""}, '"x"', 400, "body-invalid"),
        ("PUT", "incidents/{}/acknowledgement", {"txt": "x"}, '"x"', 400, "body-invalid"),
        ("PUT", "incidents/{}/acknowledgement", {}, None, 428, "if-match-missing"),
        ("PUT", "incidents/{}/acknowledgement", {}, "*", 428, "if-match-any"),
        ("PUT", "incidents/{}/owner", {"owner": "ida@example.org"}, '"x"', 400, "body-invalid"),
        ("POST", "incidents/{}/notes", {"text": "a\nb"}, '"x"', 400, "body-invalid"),
        ("POST", "incidents/{}/notes", {"text": "x"}, None, 428, "if-match-missing"),
        ("POST", "incidents", {"kind": "k"}, None, 400, "body-invalid"),
    ],
)
async def test_bad_input_gets_a_clear_answer(desk, kind, method, path, body, etag, status, problem):
    if "{}" in path:
        record, _ = await reported(desk, kind)
        path = path.replace("{}", record["id"])
    answer = await desk.ask(method, path, body, etag)
    assert (answer.status_code, answer.json()["type"]) == (status, PROBLEM + problem), answer.text


@pytest.mark.parametrize(
    "role", ["vendor.support", "vendor.service", "tenant.admin", "tenant.dam_manager"]
)
async def test_others_see_no_incidents(http, token, role):
    tenant = "acme" if role.startswith("tenant") else None
    other = Desk(http, token(roles=role, tenant=tenant, oid="otto"))
    answer = await other.get("incidents")
    assert (answer.status_code, answer.json()["type"]) == (403, PROBLEM + "role-missing")


async def test_filters_choose_and_pages_go_on(desk, kind):
    made = [(await reported(desk, kind, severity=one))[0] for one in ("warning", "critical") * 2]
    await desk.put(made[0]["id"], "acknowledgement", (await desk.read(made[0]["id"]))[1])
    ids = [one["id"] for one in made]
    assert [one["id"] for one in await desk.list(kind=kind, limit="1")] == ids
    assert [one["id"] for one in await desk.list(kind=kind, owner="sam")] == ids[:1]
    assert [one["id"] for one in await desk.list(kind=kind, severity="critical")] == ids[1::2]
    late = made[2]["openedAt"]
    assert [one["id"] for one in await desk.list(kind=kind, **{"from": late})] == ids[2:]
    assert [one["id"] for one in await desk.list(kind=kind, to=late)] == ids[:2]


HOSTILE = {
    "markup": "<script>alert(1)</script>",
    "array": '["a", {"b": 1}]',
    "object": '{"status": "resolved"}',
    "formula": "=HYPERLINK(1)",
    "header": "Subject: x",
    "percent": "%s %n {0} {x.__class__}",
    "astral": "😀" * 512,
    "quotes": '"' * 512,
    "backslashes": "\\" * 512,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_summary_is_kept_as_text(desk, send, kind, name):
    await send(opened(kind, summary=HOSTILE[name], severity="warning"))
    listed = await desk.only(kind=kind)
    assert listed["summary"] == HOSTILE[name]
    record, _ = await desk.read(listed["id"])
    assert record["timeline"][0]["text"] == HOSTILE[name]


@pytest.mark.parametrize("letter", ["a", '"', "\\", "😀", "["])
async def test_a_storm_of_the_longest_resources_is_kept(desk, send, kind, letter):
    resources = [f"{number:04}" + letter * (1096) for number in range(40)]
    await send(*(opened(kind, one) for one in resources))
    for _ in range(100):
        found = [one for one in await desk.list(kind=kind) if one["mergedInto"] is None]
        if sum(one["occurrences"] for one in found) == 40:
            break
    [storm] = found
    assert (storm["occurrences"], storm["resourceCount"]) == (40, 40)
    record, _ = await desk.read(storm["id"])
    assert set(record["resources"]) < set(resources)
