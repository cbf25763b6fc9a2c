"""Who reads a tenant's log, what is logged of that, and what an entry says of its request."""

import uuid

import pytest

from tests.journeys.logs import grow
from tests.journeys.portal import Portal


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "readers-" + uuid.uuid4().hex[:8]) as portal:
        yield portal


READS = (
    *("log/entries", "log/checkpoint", "log/tile/0/000.p/1", "log/tile/entries/000.p/1"),
    *("log/entries/0/proof", "log/consistency?from=0"),
)


@pytest.mark.parametrize("path", READS)
async def test_the_reading_of_the_vendors_dpo_is_logged_first(portal, path):
    await portal.mine("POST", "log/checkpoints")
    before = len(await portal.log())
    answer = await portal.mine("GET", path, who="dora")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    entries = await portal.log()
    assert len(entries) == before + 1
    assert (entries[0]["action"], entries[0]["actor"]["id"]) == ("log.read", "dora")
    assert entries[0]["actor"]["role"] == "vendor.dpo"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("log/entries?from=x", 422),
        ("log/entries?limit=0", 422),
        ("log/entries?continuation=x", 400),
        ("log/entries/export?outcome=good", 422),
        ("log/entries/export?format=xlsx", 422),
        ("log/entries/none/proof", 404),
        ("log/entries/0/proof?format=pdf", 422),
        ("log/consistency?from=x", 422),
        ("log/consistency?from=0&format=pdf", 422),
        ("log/checkpoints/999999", 404),
        ("log/checkpoints/x", 422),
        ("log/tile/0/999", 404),
    ],
)
async def test_what_the_vendors_dpo_asks_is_logged_even_where_it_is_refused(portal, path, status):
    before = len(await portal.log())
    answer = await portal.mine("GET", path, who="dora")
    assert answer.status_code == status, answer.text
    entry, *_ = entries = await portal.log()
    assert len(entries) == before + 1
    assert (entry["action"], entry["actor"]["id"]) == ("log.read", "dora")


async def test_each_redaction_that_the_vendors_dpo_asks_for_is_logged(portal):
    await portal.mine("GET", "assets")
    await grow(portal, 1)
    newest = [
        await portal.mine("GET", "log/entries", params={"action": action, "limit": "1"})
        for action in ("assets.listed", "asset.read")
    ]
    own, vendors = (answer.json()["entries"][0]["index"] for answer in newest)
    body = {"reason": "gdpr-art-17", "ticket": "DSR-1"}
    asked = (
        (vendors, body, 403, ["log.read"]),
        (999_999, body, 404, ["log.read"]),
        (own, body | {"reason": "because"}, 400, ["log.read"]),
        (own, body | {"ticket": "zoe@acme.example"}, 422, ["log.read"]),
        (own, body, 200, ["log.entry-redacted", "log.read"]),
        (own, body, 200, ["log.read"]),
    )
    for entry, given, status, actions in asked:
        before = len(await portal.log())
        path = f"log/entries/{entry}/redaction"
        answer = await portal.mine("PUT", path, who="dora", body=given)
        assert answer.status_code == status, answer.text
        entries = await portal.log()
        told = entries[: len(entries) - before]
        assert [one["action"] for one in told] == actions
        assert {one["actor"]["id"] for one in told} == {"dora"}


@pytest.mark.parametrize("path", READS)
async def test_nobody_else_reads_it(stack, portal, path):
    before = len(await portal.log())
    async with Portal(stack, "proofs-other") as other:
        answer = await other.call("GET", f"tenants/{portal.tenant}/{path}")
        assert answer.status_code == 404
        assert answer.json()["type"].endswith(":tenant-not-found")
    for who in ("sven", "service"):
        answer = await portal.mine("GET", path, who=who)
        assert answer.status_code == 403
    assert len(await portal.log()) == before


async def test_a_tenants_log_is_filtered_over_http(portal):
    await grow(portal, 1)
    params = {"action": "asset.read", "outcome": "denied", "actor": "sven", "limit": "1"}
    answer = await portal.mine("GET", "log/entries", params=params)
    (entry,) = answer.json()["entries"]
    assert (entry["action"], entry["outcome"]) == ("asset.read", "denied")
    assert answer.json()["continuation"] is not None
    nobody = await portal.mine("GET", "log/entries", params={"actor": "nobody"})
    assert nobody.json() == {"entries": [], "continuation": None}


async def test_an_id_that_names_somebody_is_no_id_of_an_asset(portal):
    ticket = uuid.uuid4().hex
    body = {"assetId": "zoe@acme.example", "operation": "read", "purpose": "p", "ticket": ticket}
    answer = await portal.mine("POST", "accesses", who="sven", body=body)
    assert answer.status_code == 400
    assert "zoe" not in str(await portal.log())


async def test_an_entry_says_which_request_it_goes_back_to(portal):
    trace = uuid.uuid4().hex
    body = {"assetId": "none", "operation": "read", "purpose": "p", "ticket": trace}
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    await portal.mine("POST", "accesses", who="sven", body=body, headers=headers)
    (entry,) = [one for one in await portal.log() if one["ticket"] == trace]
    assert entry["correlationId"] == trace
    assert entry["clientAddress"] == "127.0.0.1"
    assert entry["actor"]["authenticationMethod"] == "bearer"
