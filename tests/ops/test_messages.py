"""`python -m infra.ops messages`, as an operator runs the command, against the whole stack."""

import json
import uuid

import pytest
from azure.servicebus import ServiceBusMessage

from infra.ops.__main__ import main
from tests.journeys.portal import Portal, eventually

MIA = {"id": "mia", "role": "tenant.dam_manager", "organisation": "Acme"}


@pytest.fixture
def ops(stack, token, capsys, monkeypatch):
    """`ops("list", ...)` runs the command as an IT supervisor: status, output and error."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("VOUCHSAFE_APP", stack.info["endpoints"]["app"])

    def run(*arguments, roles="vendor.it_supervisor"):
        monkeypatch.setenv("VOUCHSAFE_TOKEN", token(roles=roles, oid="ito", organisation="vendor"))
        status = main(["messages", *arguments])
        out, error = capsys.readouterr()
        return status, out, error

    return run


@pytest.fixture
async def portal(stack):
    async with Portal(stack, f"ops-{uuid.uuid4().hex[:12]}") as portal:
        yield portal


def event(tenant, kind="consent.revoked", **more):
    data = {"grantId": "g-1", "tenant": tenant, "revokedBy": MIA} | more
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/portal",
        "type": f"vouchsafe.{kind}.v1",
        "time": "2026-11-28T12:00:00Z",
        "data": data,
    }


async def send(bus, tenant, body):
    message = ServiceBusMessage(json.dumps(body), session_id=tenant, message_id=body["id"])
    async with bus.get_queue_sender("consent-grants") as sender:
        await sender.send_messages(message)


async def test_a_message_is_listed_shown_replayed_and_discarded(bus, ops, portal):
    tenant = portal.tenant
    secret = "Zoe Smith"
    for number in range(3):
        await send(bus, tenant, event(tenant, note=secret, grantId=f"g-{number}"))

    async def listed(*filters):
        status, out, _ = ops("list", "--json", "--tenant", tenant, *filters)
        assert status == 0
        return json.loads(out)

    found = await eventually(listed, lambda found: len(found) == 3)
    assert {(one["queue"], one["reason"]) for one in found} == {
        ("consent-grants", "message-data-invalid")
    }
    assert secret not in str(found)
    assert await listed("--queue", "intake") == []
    assert await listed("--older-than", "1h") == []
    assert len(await listed("--newer-than", "1h", "--reason", "message-data-invalid")) == 3
    first = found[0]["id"]

    # What is shown has the structure, and no value of a person.
    status, out, _ = ops("show", first)
    shown = json.loads(out)
    assert status == 0
    assert secret not in out
    assert "mia" not in out
    assert shown["body"]["data"]["tenant"] == tenant
    assert "note" not in out
    status, _, error = ops("show", first, "--reveal")
    assert (status, "--why" in error) == (2, True)
    status, out, _ = ops("show", first, "--reveal", "--why", "TICKET-7")
    assert status == 0
    assert secret in out

    # Nothing happens in a dry run; the cause remains, so that a replay is parked again.
    status, out, _ = ops("replay", "--tenant", tenant, "--why", "mended", "--dry-run", "--json")
    assert status == 0
    assert {one["id"] for one in json.loads(out)} == {one["id"] for one in found}
    assert len(await listed()) == 3
    status, out, error = ops("replay", "--tenant", tenant, "--why", "mended")
    assert (status, out.strip()) == (0, "3 replayed")
    assert "3 of 3" in error
    again = await eventually(listed, lambda left: len(left) == 3)
    assert not {one["id"] for one in again} & {one["id"] for one in found}

    status, out, _ = ops("discard", again[0]["id"], "--why", "a test", "--json", "--quiet")
    assert (status, json.loads(out)["counts"]) == (0, {"discarded": 1})
    status, out, _ = ops("discard", "--tenant", tenant, "--why", "a test", "--quiet")
    assert (status, out.strip()) == (0, "2 discarded")
    assert await listed() == []
    status, out, _ = ops("discard", again[0]["id"], "--why", "a test", "--quiet")
    assert (status, out.strip()) == (0, "1 gone")

    log = [one for one in await portal.log() if one["action"].startswith("message.")]
    assert {one["actor"]["id"] for one in log} == {"ito"}
    told = [(one["action"], one["purpose"]) for one in log]
    assert told.count(("message.viewed", None)) == 1
    assert told.count(("message.disclosed", "TICKET-7")) == 1
    assert told.count(("message.replayed", "mended")) == 3
    assert told.count(("message.discarded", "a test")) == 3


async def test_a_message_is_replayed_after_the_cause_is_gone(bus, ops, stack):
    """A revocation for a tenant that the stamp learns of later."""
    tenant = f"late-{uuid.uuid4().hex[:12]}"
    await send(bus, tenant, event(tenant))

    async def listed():
        return json.loads(ops("list", "--json", "--tenant", tenant)[1])

    [failed] = await eventually(listed, len)
    assert failed["reason"] == "tenant-not-found"
    async with Portal(stack, tenant) as portal:
        status, out, _ = ops("replay", failed["id"], "--why", "the tenant is registered now")
        assert (status, out.strip()) == (0, "1 replayed")
        log = await eventually(
            portal.log, lambda log: any(one["action"] == "consent.revoked" for one in log)
        )
        assert [one["grantId"] for one in log if one["action"] == "consent.revoked"] == ["g-1"]
        assert await listed() == []


async def test_who_may_not_and_what_is_wrong_gets_an_answer(ops):
    for role in ("vendor.support", "vendor.service"):
        status, out, error = ops("list", roles=role)
        assert (status, out, "403" in error) == (2, "", True)
    for role in ("vendor.officer", "vendor.dpo"):
        assert ops("list", roles=role)[0] == 0
        status, _, error = ops("discard", "--all", "--why", "x", "--queue", "intake", roles=role)
        assert status == 2
    gone = "intake.dead:1:000000000000"
    for wrong, word in (
        (("replay", "--why", "x"), "filters"),
        (("discard", gone, "--all", "--why", "x"), "one of"),
        (("list", "--older-than", "yesterday"), "30m"),
        (("list", "--app", "http://example.org"), "https"),
        (("list", "--app", "ftp://example.org"), "address"),
        (("list", "--queue", "a/b"), "query"),
        (("show", gone), "404"),
        (("show", "../tenants"), "404"),
        (("discard", "nowhere", "--why", "x"), "404"),
        (("discard", gone, "--why", "\x1b[2J"), "400"),
    ):
        status, _, error = ops(*wrong)
        assert status == 2, wrong
        assert word in error, (wrong, error)
    status, out, _ = ops("discard", gone, "--why", "x")
    assert (status, out.strip()) == (0, "1 gone")


async def test_the_stamps_record_is_for_the_officer_and_the_dpo(http, token):
    for role, status in (("vendor.dpo", 200), ("vendor.officer", 200), ("vendor.support", 403)):
        headers = {"Authorization": f"Bearer {token(roles=role, organisation='vendor')}"}
        answer = await http.get("/api/stamp-record", headers=headers)
        assert answer.status_code == status
