"""Rescans on demand: HTTP, the queue and the host's deliveries, as an administrator sees them."""

import uuid
from datetime import UTC, datetime

import pytest

from tests.journeys.portal import Portal, eventually

REQUEST = "rescans"


def problem(answer):
    return answer.json()["type"].rpartition(":")[2]


async def finished(portal, rescan):
    async def read():
        answer = await portal.mine("GET", f"rescans/{rescan}", who="ada")
        assert answer.status_code == 200, answer.text
        return answer

    return await eventually(read, lambda one: one.json()["status"] == "completed")


async def test_an_administrator_has_every_asset_scanned_again(stack):
    async with Portal(stack, f"rescans-{uuid.uuid4().hex[:8]}") as portal:
        for number in range(30):
            await portal.upload(f"{number}.txt", f"file {number}".encode())
        await eventually(portal.assets, lambda assets: len(assets) == 30)
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        asked = await portal.mine("POST", REQUEST, who="ada", body={}, headers=headers)
        assert asked.status_code == 202, asked.text
        state = asked.json()
        assert asked.headers["Location"].endswith(f"/rescans/{state['id']}")
        assert state["requestedBy"]["role"] == "tenant.admin"
        again = await portal.mine("POST", REQUEST, who="ada", body={}, headers=headers)
        assert (again.status_code, again.json()["id"]) == (202, state["id"])
        done = await finished(portal, state["id"])
        assert done.headers["ETag"] != asked.headers["ETag"]
        found = done.json()
        assert (found["counted"], found["scanned"], found["remaining"]) == (30, 30, 0)
        assert (found["failed"], found["passed"], found["found"]) == (0, 0, 0)
        assert found["bytes"] == found["countedBytes"] > 0
        assert [one["id"] for one in await rescans(portal)] == [state["id"]]
        assets = await portal.assets()
        assert all(asset["scannedAt"] > state["requestedAt"] for asset in assets)
        older = await portal.mine("GET", "assets", params={"scannedBefore": state["before"]})
        assert older.json()["assets"] == []
        later = datetime.now(UTC).isoformat()
        newer = await portal.mine("GET", "assets", params={"scannedBefore": later})
        assert len(newer.json()["assets"]) == 30
        log = [(one["action"], one["resource"], one["actor"]["id"]) for one in await portal.log()]
        resource = f"rescans/{state['id']}"
        assert log.count(("rescan.requested", resource, "ada")) == 1
        assert log.count(("rescan.completed", resource, "vouchsafe.rescans")) == 1
        assert ("rescan.viewed", resource, "ada") in log
        assert ("rescans.listed", "rescans", "ada") in log


async def rescans(portal):
    answer = await portal.mine("GET", "rescans", who="ada")
    assert answer.status_code == 200, answer.text
    return answer.json()["rescans"]


async def test_who_may_ask_for_a_rescan(stack, http, token):
    async with Portal(stack, f"roles-{uuid.uuid4().hex[:8]}") as portal:
        path = f"/api/tenants/{portal.tenant}/rescans"

        async def ask(role, tenant=None):
            headers = {"Authorization": f"Bearer {token(roles=role, tenant=tenant, oid=role)}"}
            answer = await http.post(path, json={}, headers=headers)
            if answer.status_code == 202:
                await finished(portal, answer.json()["id"])
            return answer.status_code

        for role in ("vendor.it_supervisor", "vendor.officer"):
            assert await ask(role) == 202
        assert await ask("tenant.admin", portal.tenant) == 202
        assert await ask("tenant.admin", "another") == 404
        for role in ("vendor.support", "vendor.service", "vendor.dpo"):
            assert await ask(role) == 403
        for role in ("tenant.dam_manager", "tenant.viewer"):
            assert await ask(role, portal.tenant) == 403


async def test_a_tenant_cannot_see_anothers_rescan(stack):
    async with (
        Portal(stack, f"a-{uuid.uuid4().hex[:8]}") as a,
        Portal(stack, f"b-{uuid.uuid4().hex[:8]}") as b,
    ):
        rescan = (await a.mine("POST", REQUEST, who="ada", body={})).json()["id"]
        own = await b.mine("GET", f"rescans/{rescan}", who="ada")
        assert (own.status_code, problem(own)) == (404, "rescan-not-found")
        foreign = await b.call("GET", f"tenants/{a.tenant}/rescans/{rescan}", who="ada")
        absent = await b.call("GET", f"tenants/nobody/rescans/{rescan}", who="ada")
        assert (foreign.status_code, foreign.json()) == (404, absent.json())
        assert await rescans(b) == []


@pytest.mark.parametrize(
    "body",
    [
        {"engine": ""},
        {"engine": "x" * 129},
        {"scannedBefore": "yesterday"},
        {"scannedBefore": "2026-01-01T00:00:00"},
        {"everything": True},
        [],
    ],
)
async def test_a_wrong_request_is_refused(stack, body):
    async with Portal(stack, f"wrong-{uuid.uuid4().hex[:8]}") as portal:
        answer = await portal.mine("POST", REQUEST, who="ada", body=body)
        assert answer.status_code == 400, answer.text
        assert await rescans(portal) == []


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
async def test_times_at_the_ends_of_the_calendar_are_times(stack, time):
    async with Portal(stack, f"ends-{uuid.uuid4().hex[:8]}") as portal:
        answer = await portal.mine("POST", REQUEST, who="ada", body={"scannedBefore": time})
        assert answer.status_code == 202, answer.text
        listed = await portal.mine("GET", "assets", params={"scannedBefore": time})
        assert listed.status_code == 200, listed.text
