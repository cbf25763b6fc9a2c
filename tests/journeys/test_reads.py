"""What a tenant's own people are given over HTTP: in the tenant's log first, or not given."""

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from azure.data.tables.aio import TableServiceClient

from functions.documents import EVERY_BLUEPRINT
from functions.edge.disclosures import Disclosed
from functions.edge.operations import OPERATIONS
from infra.local.faults.rules import Rule
from infra.local.programs import FAULTS, PROCESSES
from infra.local.stack import Stack
from tests.journeys.logs import tamper
from tests.journeys.portal import Portal, eventually
from tests.journeys.test_breach import ASSESSMENT

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
TENANT = "reads"
NAME = "Eileen Collins"
PROBLEM = {"type", "title", "status", "detail", "remedy"}
UPLOAD = {"path": "shoot/eileen-collins.jpg", "size": 1, "mediaType": "image/jpeg"}

# Path, action and resource of every endpoint that gives away a tenant's data, from the list of
# endpoints; names in braces are those of `ids`.
READS = tuple(
    (path, operation.discloses.action, operation.discloses.resource, operation.roles)
    for (method, path), operation in OPERATIONS.items()
    if method == "GET" and isinstance(operation.discloses, Disclosed)
)
READERS = tuple(
    (path, action, resource, who, role)
    for path, action, resource, roles in READS
    for who, role in (("mia", "tenant.dam_manager"), ("ada", "tenant.admin"))
    if role in roles
)
EVERYTHING = (*(("GET", path) for path, *_ in READS), ("POST", "tenants/{tenant}/uploads"))


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A stack whose app reaches its storage through the fault proxy."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True, processes=(*PROCESSES, FAULTS)) as started:
        yield started


@pytest.fixture(scope="module")
async def portal(own_stack):
    async with Portal(own_stack, TENANT) as portal:
        yield portal


@pytest.fixture(scope="module")
async def other(own_stack):
    """Another tenant's portal."""
    async with Portal(own_stack, "reads-other") as other:
        yield other


@pytest.fixture(scope="module")
async def ids(portal):
    """The ids of an asset, a grant, a rescan, a reread, and an erasure request with the asset; of a
    contact, a notice of the grant, and a breach with the asset.
    """
    await portal.upload("shoot/astronaut.jpg", PHOTO)
    (asset,) = await eventually(portal.assets, bool)
    terms = {
        "pathPrefix": "shoot",
        "operations": ["read"],
        "purpose": "repair",
        "ticket": "T-1",
        "engineer": "sven",
        "expiresAt": "2100-01-01T00:00:00Z",
    }
    grant = await portal.mine("POST", "consent-grants", body=terms)
    rescan = await portal.mine("POST", "rescans", who="ada", body={})
    reread = await portal.mine("POST", "rereads", who="ada", body={})
    erasure = await portal.mine("POST", "erasure-requests", body={"name": NAME})
    request = f"erasure-requests/{erasure.json()['id']}"
    await eventually(
        lambda: portal.mine("GET", request), lambda a: a.json()["status"] == "awaiting-approval"
    )
    contact = await portal.mine("POST", "contacts", who="ada", body={"address": "it@acme.example"})
    [notice, *_] = await eventually(lambda: portal.listed("notices", "notices"), bool)
    return {
        "tenant": portal.tenant,
        "contact": contact.json()["id"],
        "notice": notice["id"],
        "breach": await told_of_a_breach(portal, asset["id"]),
        "asset": asset["id"],
        "upload": asset["upload"],
        "grant": grant.json()["id"],
        "request": erasure.json()["id"],
        "rescan": rescan.json()["id"],
        "reread": reread.json()["id"],
        # A find without companions has the id of its asset.
        "find": asset["id"],
    }


async def told_of_a_breach(portal, asset):
    """The id of a breach with one access to an asset, of which the tenant has its notice."""
    wish = {"assetId": asset, "operation": "read", "purpose": "repair", "ticket": "T-1"}
    taken = await portal.mine("POST", "accesses", who="sven", body=wish)
    assert taken.status_code == 200, taken.text
    report = {"kind": "token.misused", "severity": "critical", "summary": "s", "resource": "r"}
    opened = await portal.call("POST", "incidents", who="dora", body=report)
    number = opened.json()["id"]
    await portal.call("POST", "breaches", who="dora", body={"incidentId": number})

    async def read():
        return await portal.call("GET", f"breaches/{number}", who="dora")

    async def step(name, body):
        headers = {"If-Match": (await read()).headers["ETag"]}
        path = f"breaches/{number}/{name}"
        done = await portal.call("PUT", path, who="dora", body=body, headers=headers)
        assert done.status_code in (200, 202), done.text

    now = datetime.now(UTC)
    window = {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}
    await step("assessment", ASSESSMENT)
    await step("scope", window | {"actor": "sven", "tenants": [portal.tenant]})
    await step("decision", {"verdict": "breach", "reason": "A picture was seen."})
    await eventually(read, lambda scoped: scoped.json()["overview"]["isComplete"])
    await step("notices", {"contact": "dpo@vendor.example"})
    await eventually(
        lambda: portal.mine("GET", "breach-notices", who="ada"),
        lambda listed: bool(listed.json()["notices"]),
    )
    return number


async def asked(portal, method, path, **given):
    """One request with a trace of its own; `entries` are those that go back to it."""
    trace = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", **given.pop("headers", {})}
    body = given.pop("body", UPLOAD if method == "POST" else None)
    answer = await portal.call(method, path, headers=headers, body=body, **given)

    async def entries(of=portal):
        return [entry for entry in await of.log() if entry["correlationId"] == trace]

    return SimpleNamespace(answer=answer, entries=entries, trace=trace)


def refused(answer, status, code):
    """Hold an answer to be a problem and nothing else."""
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == PROBLEM
    assert answer.json()["type"] == f"urn:vouchsafe:problem:{code}"


def check_entry(entry, action, resource, who="mia", role="tenant.dam_manager"):
    assert (entry["action"], entry["resource"]) == (action, resource)
    assert entry["actor"] == {
        "id": who,
        "role": role,
        "organisation": TENANT,
        "authenticationMethod": "bearer",
    }
    assert (entry["outcome"], entry["source"]) == ("allowed", "/vouchsafe")
    assert entry["clientAddress"] == "127.0.0.1"
    told = ("purpose", "ticket", "grantId", "reason")
    assert [entry[name] for name in told] == [None] * len(told)


@pytest.mark.parametrize(("path", "action", "resource", "who", "role"), READERS)
async def test_each_answer_is_one_entry(portal, ids, path, action, resource, who, role):
    below = path.format(**ids)
    one = await asked(portal, "GET", below, who=who)
    assert one.answer.status_code == 200, one.answer.text
    (entry,) = await one.entries()
    check_entry(entry, action, resource.format(**ids), who, role)


def test_the_list_of_endpoints_is_whole():
    assert len(READS) > len(EVERY_BLUEPRINT) // 2
    assert {path for path, *_ in READERS} == {path for path, *_ in READS}
    shown = ("tenants/{tenant}/assets/{asset}", "asset.viewed", "assets/{asset}")
    assert shown in [one[:3] for one in READS]


async def test_what_was_listed_is_what_there_is(portal, ids):
    """The answers are whole, though their entries name them by id only."""
    found = await portal.mine("GET", f"erasure-requests/{ids['request']}/assets")
    assert found.json()["assets"] == [ids["asset"]]
    viewed = await portal.mine("GET", f"assets/{ids['asset']}")
    assert viewed.json()["path"] == "shoot/astronaut.jpg"


async def test_each_page_of_a_list_is_an_entry(portal, ids):
    terms = {"limit": "1", "prefix": "shoot/", "verdict": "clean"}
    one = await asked(portal, "GET", f"tenants/{portal.tenant}/assets", params=terms)
    assert len(one.answer.json()["assets"]) == 1
    (entry,) = await one.entries()
    check_entry(entry, "assets.listed", "assets")


async def test_each_upload_url_is_an_entry_that_does_not_tell_the_path(portal):
    one = await asked(portal, "POST", f"tenants/{portal.tenant}/uploads")
    assert one.answer.status_code == 201, one.answer.text
    (entry,) = await one.entries()
    check_entry(entry, "upload.permitted", f"uploads/{one.answer.json()['id']}")
    assert "collins" not in str(entry)


async def test_an_upload_url_that_is_asked_for_again_is_an_entry_again(portal):
    path, key = f"tenants/{portal.tenant}/uploads", {"Idempotency-Key": uuid.uuid4().hex}
    twice = [await asked(portal, "POST", path, headers=key) for _ in range(2)]
    first, again = (one.answer for one in twice)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    entries = [entry for one in twice for entry in await one.entries()]
    assert [entry["resource"] for entry in entries] == [f"uploads/{first.json()['id']}"] * 2
    assert len({entry["id"] for entry in entries}) == 2
    changed = await asked(portal, "POST", path, headers=key, body=UPLOAD | {"size": 2})
    refused(changed.answer, 422, "idempotency-key-reused")
    assert await changed.entries() == []


GRANT = {
    "operations": ["read"],
    "purpose": "p",
    "ticket": "T-2",
    "engineer": "sven",
    "expiresAt": "2100-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("kind", "body", "done", "shown"),
    [
        ("consent-grants", GRANT, "consent.granted", "consent.viewed"),
        ("erasure-requests", {"name": "Zoe"}, "erasure.requested", "erasure.viewed"),
    ],
)
async def test_a_command_that_is_sent_again_shows_what_there_is_and_that_is_an_entry(
    portal, kind, body, done, shown
):
    path, key = f"tenants/{portal.tenant}/{kind}", {"Idempotency-Key": uuid.uuid4().hex}
    for action in (done, shown, shown):
        one = await asked(portal, "POST", path, headers=key, body=body)
        assert one.answer.is_success, one.answer.text
        (entry,) = [e for e in await one.entries() if e["actor"]["id"] == "mia"]
        assert (entry["action"], entry["resource"]) == (action, f"{kind}/{one.answer.json()['id']}")


async def test_a_revocation_by_another_person_shows_them_the_grant_and_that_is_an_entry(portal):
    grant = (await portal.mine("POST", "consent-grants", body=GRANT)).json()["id"]
    path = f"tenants/{portal.tenant}/consent-grants/{grant}/revocation"
    for who, action in (("mia", "consent.revoked"), ("ada", "consent.viewed")):
        one = await asked(portal, "PUT", path, who=who)
        assert one.answer.json()["revokedBy"]["id"] == "mia"
        (entry,) = await one.entries()
        assert (entry["action"], entry["actor"]["id"]) == (action, who)
        assert entry["resource"] == f"consent-grants/{grant}"


async def test_an_approval_that_is_sent_again_shows_the_request_and_that_is_an_entry(portal):
    made = await portal.mine("POST", "erasure-requests", body={"name": "Nobody Known"})
    request = f"erasure-requests/{made.json()['id']}"
    await eventually(
        lambda: portal.mine("GET", request), lambda a: a.json()["status"] == "awaiting-approval"
    )
    path = f"tenants/{portal.tenant}/{request}/approval"
    for action in ("erasure.approved", "erasure.viewed"):
        # An approved request goes on by itself, and its ETag with it.
        ended = "completed" if action == "erasure.viewed" else "awaiting-approval"
        seen = await eventually(
            partial(portal.mine, "GET", request), lambda a, ended=ended: a.json()["status"] == ended
        )
        headers = {"If-Match": seen.headers["ETag"]}
        one = await asked(portal, "PUT", path, who="noor", headers=headers)
        assert one.answer.status_code == 200, one.answer.text
        (entry,) = [e for e in await one.entries() if e["actor"]["id"] == "noor"]
        assert (entry["action"], entry["resource"]) == (action, request)


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code"),
    [
        ("GET", "assets/zoe@acme.example", {}, 404, "resource-not-found"),
        ("GET", "consent-grants/none", {}, 404, "consent-grant-not-found"),
        ("GET", "erasure-requests/none", {}, 404, "erasure-request-not-found"),
        ("GET", "erasure-requests/none/assets", {}, 404, "erasure-request-not-found"),
        ("GET", "assets", {"params": {"verdict": "good"}}, 422, "query-invalid"),
        ("GET", "consent-grants", {"params": {"limit": "0"}}, 422, "limit-invalid"),
        ("GET", "erasure-requests", {"who": "sven"}, 403, "role-missing"),
        ("POST", "uploads", {"body": UPLOAD | {"path": "../x"}}, 422, "path-invalid"),
        ("POST", "uploads", {"body": UPLOAD | {"size": 0}}, 422, "upload-empty"),
    ],
)
async def test_what_is_refused_is_no_entry(portal, method, path, given, status, code):
    one = await asked(portal, method, f"tenants/{portal.tenant}/{path}", **given)
    refused(one.answer, status, code)
    assert await one.entries() == []


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
async def test_another_tenants_people_get_nothing_and_leave_no_entry(
    portal, other, ids, method, path
):
    one = await asked(other, method, path.format(**ids), who="ada")
    refused(one.answer, 404, "tenant-not-found")
    assert await one.entries(portal) == await one.entries(other) == []


@pytest.mark.parametrize("path", ["/log/entries", "/log/checkpoint", "/log/witnesses"])
async def test_a_tenants_own_people_read_the_log_itself_without_an_entry(portal, path):
    one = await asked(portal, "GET", f"tenants/{portal.tenant}{path}")
    assert one.answer.status_code == 200, one.answer.text
    assert await one.entries() == []


async def test_nothing_is_given_that_cannot_be_logged(portal, ids, faults):
    paths = [(method, path.format(**ids)) for method, path in EVERYTHING]
    # An append is a transaction; what else these requests ask of the tables is none.
    with faults.rules(Rule(service="table", path=r"/\$batch", status=503)):
        # All at once, as each is tried again for some seconds.
        failed = await asyncio.gather(*(asked(portal, *path, who="ada") for path in paths))
        assert sum(faults.hits()) > 0
    for one in failed:
        refused(one.answer, 503, "service-unavailable")
        assert one.answer.headers["Retry-After"] == "5"
        assert await one.entries() == []
    for path in paths:
        again = await asked(portal, *path, who="ada")
        assert again.answer.is_success, again.answer.text
        assert len(await again.entries()) == 1


async def test_an_append_whose_answer_was_lost_is_one_entry(portal, faults):
    with faults.rules(Rule(service="table", path=r"/\$batch", cut="answer", times=1)):
        one = await asked(portal, "GET", f"tenants/{portal.tenant}/assets")
        assert sum(faults.hits()) == 1
    assert one.answer.status_code == 200, one.answer.text
    assert len(await one.entries()) == 1


async def test_nothing_is_given_while_the_log_is_damaged(own_stack):
    string = own_stack.info["connection_strings"]["storage"]
    async with (
        Portal(own_stack, "reads-damaged") as portal,
        TableServiceClient.from_connection_string(string) as tables,
    ):
        await portal.upload_url("a.jpg")
        await tamper(tables.get_table_client("accesslog"), portal.tenant, "cut", 0)
        for method, path in (("GET", "assets"), ("POST", "uploads")):
            one = await asked(portal, method, f"tenants/{portal.tenant}/{path}")
            refused(one.answer, 500, "log-damaged")


async def test_many_at_once_are_an_entry_each(portal, ids):
    path = f"tenants/{portal.tenant}/assets/{ids['asset']}"
    many = await asyncio.gather(*(asked(portal, "GET", path) for _ in range(20)))
    assert Counter(one.answer.status_code for one in many) == {200: 20}
    told = Counter(entry["correlationId"] for entry in await portal.log())
    assert [told[one.trace] for one in many] == [1] * 20
