"""An entry is erased from a tenant's log: nothing of it is left, and every proof still verifies."""

import base64
import json
import uuid
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from shared.catalogue import ACCESS_EVENTS_QUEUE
from shared.merkle import TlogProof, is_redaction, leaf_of, open_checkpoint, open_redaction
from tests.journeys.logs import exported, found, grow, tamper, verifiers, verify, vkeys
from tests.journeys.portal import Portal, eventually


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "redactions-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 3)
        yield portal


async def test_a_redacted_entry_is_gone_and_every_proof_still_verifies(stack, portal, tmp_path):
    await grow(portal, 1, purpose="about a data subject", ticket="subject")
    (entry,) = [one for one in await portal.log() if one["ticket"] == "subject"]
    index = entry["index"]
    keys = await verifiers(portal)
    old = await portal.mine("GET", f"log/entries/{index}/proof", params={"format": "tlog-proof"})
    before = TlogProof.parse(old.text)
    path, body = f"log/entries/{index}/redaction", {"reason": "gdpr-art-17", "ticket": "DSR-7"}
    assert (await portal.mine("PUT", path, body=body)).status_code == 403
    for _ in range(2):
        done = await portal.mine("PUT", path, who="ada", body=body)
        assert done.status_code == 200, done.text
        assert done.json()["redacted"]["reason"] == "gdpr-art-17"
        assert done.json()["purpose"] is None
    log = await portal.log()
    (record,) = [one for one in log if one["action"] == "log.entry-redacted"]
    assert (record["actor"]["id"], record["resource"]) == ("ada", f"log/entries/{index}")
    assert (record["purpose"], record["ticket"]) == ("gdpr-art-17", "DSR-7")
    assert "about a data subject" not in json.dumps(log)
    proved = (await portal.mine("GET", f"log/entries/{index}/proof")).json()
    kept = base64.b64decode(proved["entry"])
    assert is_redaction(kept)
    checkpoint = open_checkpoint(proved["checkpoint"], keys)
    assert open_redaction(kept, index, checkpoint.origin, keys).reason == "gdpr-art-17"
    leaf = leaf_of(kept, index, checkpoint.origin, keys)
    assert before.verify(leaf, keys).size > index
    (again,) = [one for one in log if one["id"] == record["id"]]
    refused = await portal.mine(
        "PUT", f"log/entries/{again['index']}/redaction", who="ada", body=body
    )
    assert refused.json()["type"].endswith(":log-entry-not-redactable")
    file = await exported(portal, tmp_path)
    assert "about a data subject" not in file.read_text()
    arguments = [part for vkey in await vkeys(portal) for part in ("--key", vkey)]
    done = verify(file, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert found(stack, portal.tenant) == []


async def test_a_redaction_whose_record_would_name_a_person_erases_nothing(portal):
    await grow(portal, 1, ticket="kept")
    (entry,) = [one for one in await portal.log() if one["ticket"] == "kept"]
    body = {"reason": "gdpr-art-17", "ticket": "asked by zoe@acme.example"}
    path = f"log/entries/{entry['index']}/redaction"
    answer = await portal.mine("PUT", path, who="ada", body=body)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":log-entry-names-person")
    assert entry in await portal.log()


async def test_an_entry_that_was_changed_is_evidence_and_not_redacted(stack, tables):
    async with Portal(stack, "evident-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 3)
        await portal.mine("POST", "log/checkpoints")
        await tamper(tables.get_table_client("accesslog"), portal.tenant, "entry", 1)
        body = {"reason": "gdpr-art-17", "ticket": "DSR-8"}
        answer = await portal.mine("PUT", "log/entries/1/redaction", who="ada", body=body)
        assert answer.status_code == 500
        assert answer.json()["type"].endswith(":log-damaged")
        log = await portal.log()
        assert [one["index"] for one in log if one["redacted"]] == []
        assert [one["index"] for one in log if one["damaged"]] == [1]
        filtered = await portal.mine("GET", "log/entries", params={"action": "asset.read"})
        assert 1 not in [one["index"] for one in filtered.json()["entries"]]


async def test_an_event_that_comes_again_after_its_redaction_is_a_new_entry(bus, portal):
    """The row of the event goes with the content, so nothing tells that the event was there."""
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/dam",
        "type": "vouchsafe.access.recorded.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "tenant": portal.tenant,
            "actor": {"id": "dam", "role": "system", "organisation": "vendor"},
            "action": "asset.viewed",
            "resource": "assets/1",
            "outcome": "allowed",
        },
    }

    async def send(*events):
        async with bus.get_queue_sender(ACCESS_EVENTS_QUEUE.name) as sender:
            for one in events:
                message = ServiceBusMessage(json.dumps(one), message_id=str(uuid.uuid4()))
                await sender.send_messages(message)

    async def viewed():
        return [one for one in await portal.log() if one["action"] == "asset.viewed"]

    await send(event)
    (entry,) = await eventually(viewed, lambda found: len(found) == 1)
    path, source = f"log/entries/{event['id']}/redaction", {"source": "/dam"}
    body = {"reason": "gdpr-art-17", "ticket": "DSR-9"}
    done = await portal.mine("PUT", path, who="ada", body=body, params=source)
    assert done.json()["index"] == entry["index"]
    after = event | {"id": str(uuid.uuid4())}
    await send(event, after)
    left = await eventually(viewed, lambda found: len(found) == 2)
    assert {one["id"] for one in left} == {event["id"], after["id"]}
    again = await portal.mine("PUT", path, who="ada", body=body, params=source)
    assert again.json()["index"] > entry["index"]
    assert again.json()["redacted"]["reason"] == "gdpr-art-17"
