"""Rereads: HTTP, the queue, the host's deliveries and the command, as an operator sees them."""

import asyncio
import sys
import uuid

import pytest

from infra.local.settings import ROOT
from tests.journeys.portal import Portal, eventually

REQUEST = "rereads"


async def finished(portal, reread):
    async def read():
        answer = await portal.mine("GET", f"rereads/{reread}", who="ada")
        assert answer.status_code == 200, answer.text
        return answer

    return await eventually(read, lambda one: one.json()["status"] == "completed")


async def test_an_administrator_has_every_record_made_anew(stack):
    async with Portal(stack, f"rereads-{uuid.uuid4().hex[:8]}") as portal:
        for number in range(30):
            await portal.upload(f"{number}.txt", f"file {number}".encode())
        before = await eventually(portal.assets, lambda assets: len(assets) == 30)
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        asked = await portal.mine("POST", REQUEST, who="ada", body={}, headers=headers)
        assert asked.status_code == 202, asked.text
        state = asked.json()
        assert asked.headers["Location"].endswith(f"/rereads/{state['id']}")
        again = await portal.mine("POST", REQUEST, who="ada", body={}, headers=headers)
        assert (again.status_code, again.json()["id"]) == (202, state["id"])
        found = (await finished(portal, state["id"])).json()
        assert (found["counted"], found["read"], found["remaining"]) == (30, 30, 0)
        assert (found["resealed"], found["unreadable"], found["secondsLeft"]) == (0, 0, 0)
        assert await portal.assets() == before
        listed = (await portal.mine("GET", REQUEST, who="ada")).json()["rereads"]
        assert [one["id"] for one in listed] == [state["id"]]
        log = [(one["action"], one["resource"], one["actor"]["id"]) for one in await portal.log()]
        resource = f"rereads/{state['id']}"
        assert log.count(("reread.requested", resource, "ada")) == 1
        assert log.count(("reread.completed", resource, "vouchsafe.rereads")) == 1
        assert ("rereads.listed", "rereads", "ada") in log


async def test_an_operator_gives_the_command(stack, token):
    async with Portal(stack, f"command-{uuid.uuid4().hex[:8]}") as portal:
        await portal.upload("a.txt", b"a")
        await eventually(portal.assets, bool)
        base = stack.info["endpoints"]["app"]

        async def reread(*options, role="vendor.it_supervisor"):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "infra.ops", "reread", f"{base}/api", *options),
                cwd=ROOT,
                env={"VOUCHSAFE_TOKEN": token(roles=role, oid="olga")},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            said, error = await process.communicate()
            return process.returncode, said.decode(), error.decode()

        mine = ("--tenant", portal.tenant)
        assert await reread(*mine, "--reader-before", "1", "--dry-run") == (
            0,
            f"{portal.tenant}: 0 to read\n",
            "",
        )
        assert (await reread(*mine))[:2] == (0, f"{portal.tenant}: 1 of 1 read\n")
        status, said, error = await reread(*mine, role="vendor.support")
        assert (status, said) == (2, "")
        assert "refused" in error
        status, said, error = await reread("--tenant", "no-such-tenant")
        assert (status, said) == (2, "")
        status, said, error = await reread(*mine, "--filed-from", "yesterday")
        assert (status, said) == (2, "")
        assert "filedFrom" in error


async def test_who_may_ask_for_a_reread(stack, http, token):
    async with Portal(stack, f"roles-{uuid.uuid4().hex[:8]}") as portal:
        path = f"/api/tenants/{portal.tenant}/rereads"

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


@pytest.mark.parametrize(
    "body",
    [
        {"readerBefore": 0},
        {"readerBefore": "2"},
        {"readerBefore": 10**9},
        {"filedFrom": "yesterday"},
        {"filedBefore": "2026-01-01T00:00:00"},
        {"olderKey": "yes"},
        {"everything": True},
        [],
    ],
)
async def test_a_wrong_request_is_refused(stack, body):
    async with Portal(stack, f"wrong-{uuid.uuid4().hex[:8]}") as portal:
        answer = await portal.mine("POST", REQUEST, who="ada", body=body)
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
async def test_times_at_the_ends_of_the_calendar_are_times(stack, time):
    async with Portal(stack, f"ends-{uuid.uuid4().hex[:8]}") as portal:
        for name in ("filedFrom", "filedBefore"):
            answer = await portal.mine("POST", REQUEST, who="ada", body={name: time})
            assert answer.status_code == 202, answer.text
            assert (await finished(portal, answer.json()["id"])).json()["counted"] == 0
