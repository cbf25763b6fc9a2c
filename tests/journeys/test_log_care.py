"""A tenant's log is exported, witnessed and redacted; rows that are changed are found."""

import base64
import csv
import io
import json
import random
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.servicebus import ServiceBusMessage

from infra.local.settings import ROOT
from shared.accesslog import LogStore, NewEntry
from shared.azure.tables import AzureTables
from shared.merkle import (
    COSIGNATURE,
    Checkpoint,
    Note,
    SigningKey,
    TlogProof,
    VerifierKey,
    decode_bundle,
    is_redaction,
    leaf_of,
    open_checkpoint,
    open_redaction,
)
from shared.messages import queues
from tests.journeys.portal import Portal, eventually
from tests.queues import data_of, peeked


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "care-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 3)
        yield portal


async def vkeys(portal):
    answer = await portal.call("GET", "keys", params={"tenant": portal.tenant})
    return [key["vkey"] for key in answer.json()["keys"]]


async def verifiers(portal):
    return [VerifierKey.parse(vkey) for vkey in await vkeys(portal)]


async def grow(portal, count, **changed):
    body = {"assetId": "none", "operation": "read", "purpose": "p", "ticket": "t"} | changed
    for _ in range(count):
        answer = await portal.mine("POST", "accesses", who="sven", body=body)
        assert answer.status_code == 403, answer.text


async def downloaded(answer):
    """What the link of an export leads to, as any client gets it."""
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"] == answer.json()["location"]
    async with httpx.AsyncClient(trust_env=False) as client:
        file = await client.get(answer.headers["Location"])
    assert file.status_code == 200, file.text
    return file


def verify(path, *arguments):
    """Run `verify-log` as a tenant does."""
    return subprocess.run(
        [sys.executable, "-m", "infra.ops", "verify-log", str(path), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


async def exported(portal, folder):
    """The verifiable export, in a file."""
    file = await downloaded(await portal.mine("GET", "log/export"))
    path = folder / "log.ndjson"
    path.write_bytes(file.content)
    return path


async def test_the_whole_log_is_exported_and_verifies_offline(portal, tmp_path):
    path = await exported(portal, tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    header, end = lines[0], lines[-1]
    checkpoint = open_checkpoint(header["checkpoint"], await verifiers(portal))
    assert (header["size"], end) == (checkpoint.size, {"end": checkpoint.size})
    last = next(line for line in reversed(lines) if "entry" in line)
    assert (last["index"], last["entry"]["action"]) == (checkpoint.size - 1, "log.exported")
    arguments = [part for vkey in await vkeys(portal) for part in ("--key", vkey)]
    done = verify(path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    cut = tmp_path / "cut.ndjson"
    cut.write_bytes(path.read_bytes().replace(b'"allowed"', b'"denied_"', 1))
    assert verify(cut, *arguments).returncode == 1


async def test_the_log_is_verified_where_it_is_served_and_continues_an_older_export(
    stack, portal, tmp_path
):
    older = await exported(portal, tmp_path)
    await grow(portal, 300)
    await portal.mine("POST", "log/checkpoints")
    keys = tmp_path / "keys.json"
    keys.write_bytes((await portal.call("GET", "keys")).content)
    token = await portal.token("mia", "tenant.viewer", portal.tenant)
    url = f"{stack.info['endpoints']['app']}/api/tenants/{portal.tenant}/log"
    done = verify(url, "--key", str(keys), "--older", str(older), "--token", token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is intact" in done.stdout


async def test_the_list_is_exported_with_filters_and_without_formulas(portal):
    formula = '=HYPERLINK("http://evil.example")'
    await grow(portal, 1, purpose=formula, ticket="formula")
    params = {"action": "asset.read", "format": "csv"}
    file = await downloaded(await portal.mine("GET", "log/entries/export", params=params))
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert {row["action"] for row in rows} == {"asset.read"}
    assert [row["purpose"] for row in rows if row["ticket"] == "formula"] == ["'" + formula]
    indices = [int(row["index"]) for row in rows]
    assert indices == sorted(indices, reverse=True)
    file = await downloaded(
        await portal.mine("GET", "log/entries/export", params=params | {"format": "ndjson"})
    )
    listed = [json.loads(line) for line in file.text.splitlines()]
    assert [one["index"] for one in listed] == indices
    assert formula in [one["purpose"] for one in listed]
    newest = (await portal.log())[0]
    assert (newest["action"], newest["resource"]) == ("log.exported", "log/entries")
    accepting = {"Accept": "text/csv"}
    answer = await portal.mine("GET", "log/entries", headers=accepting, params=params)
    assert (await downloaded(answer)).text.count("\r\n") == len(rows) + 1


WITNESS = SigningKey.of_seed("witness.example/w1", bytes(range(32)), COSIGNATURE)
STRANGER = SigningKey.of_seed("witness.example/w2", bytes(32), COSIGNATURE)


def line(witness, note, at=None):
    return witness.sign(Note.parse(note).text, at or datetime.now(UTC)).line


async def cosign(portal, size, body, **given):
    path = f"tenants/{portal.tenant}/log/checkpoints/{size}/cosignatures"
    return await portal.send("POST", path, content=body, **given)


async def test_cosignatures_of_registered_witnesses_are_kept_and_served(portal):
    note = (await portal.mine("POST", "log/checkpoints")).text
    size = size_of(note)
    unknown = await cosign(portal, size, line(WITNESS, note))
    assert unknown.status_code == 422
    assert unknown.json()["type"].endswith(":cosignature-unknown")
    body = {"vkey": str(WITNESS.verifier)}
    assert (await portal.mine("POST", "log/witnesses", body=body)).status_code == 403
    for _ in range(2):
        added = await portal.mine("POST", "log/witnesses", who="ada", body=body)
        assert added.status_code == 201, added.text
    actions = [entry["action"] for entry in await portal.log()]
    assert actions.count("log.witness-added") == 1
    listed = (await portal.mine("GET", "log/witnesses")).json()["witnesses"]
    assert [one["name"] for one in listed] == ["witness.example/w1"]
    kept = await cosign(portal, size, line(WITNESS, note) + line(STRANGER, note))
    assert kept.status_code == 200, kept.text
    served = await portal.mine("GET", f"log/checkpoints/{size}")
    assert served.text == kept.text
    signed = Note.parse(served.content).verify([*(await verifiers(portal)), WITNESS.verifier])
    assert WITNESS.verifier in [key for key, _ in signed]
    assert "witness.example/w2" not in served.text
    path = f"log/witnesses/{listed[0]['id']}"
    assert (await portal.mine("DELETE", path, who="ada")).status_code == 204
    assert (await portal.mine("DELETE", path, who="ada")).status_code == 404
    assert (await portal.mine("GET", f"log/checkpoints/{size}")).text == kept.text
    assert (await cosign(portal, size, line(WITNESS, note))).status_code == 422


@pytest.mark.parametrize(
    ("vkey", "status"),
    [
        ("nonsense", 422),
        (str(SigningKey.of_seed("log.example", bytes(32)).verifier), 422),
        (str(STRANGER.verifier).replace("w2", "w3"), 422),
        ("", 400),
    ],
)
async def test_what_is_no_key_of_a_witness_is_refused(portal, vkey, status):
    answer = await portal.mine("POST", "log/witnesses", who="ada", body={"vkey": vkey})
    assert answer.status_code == status, answer.text


async def test_what_is_no_cosignature_is_refused(portal):
    note = (await portal.mine("POST", "log/checkpoints")).text
    size = size_of(note)
    body = {"vkey": str(STRANGER.verifier)}
    assert (await portal.mine("POST", "log/witnesses", who="ada", body=body)).status_code == 201
    ahead = datetime.now(UTC) + timedelta(minutes=10)
    other = note.replace(f"\n{size}\n", f"\n{size + 1}\n")
    for sent, status, code in (
        (line(STRANGER, other), 400, "cosignature-invalid"),
        ("nonsense", 400, "cosignature-invalid"),
        ("", 400, "body-missing"),
        (line(STRANGER, note, ahead), 422, "cosignature-ahead"),
        ("x" * 70_000, 413, "cosignature-too-large"),
    ):
        answer = await cosign(portal, size, sent)
        assert answer.status_code == status, answer.text
        assert answer.json()["type"].endswith(f":{code}")
    missing = await cosign(portal, 987_654, line(STRANGER, note))
    assert missing.json()["type"].endswith(":checkpoint-not-found")


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


async def test_an_event_that_comes_again_after_its_redaction_is_not_logged_again(bus, portal):
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
        async with bus.get_queue_sender(queues.ACCESS_EVENTS) as sender:
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
    (left,) = await eventually(viewed, lambda found: len(found) == 1)
    assert left["id"] == after["id"]


def instance(stack, command, tenant):
    """What another instance of the app says that came of a command; see there."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.accesslog.instance", command, tenant],
        cwd=ROOT,
        env=stack.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def found(stack, tenant):
    """What the integrity watch of another instance finds."""
    return [tuple(one) for one in json.loads(instance(stack, "look", tenant))]


async def incidents(bus, tenant, count=0):
    """The incidents about a tenant's log, once there are as many as `count`."""

    async def look():
        opened = [data_of(message) for message in await peeked(bus, queues.INCIDENTS)]
        return [one for one in opened if (one["tenant"], one["kind"]) == (tenant, "log.integrity")]

    return await eventually(look, lambda opened: len(opened) >= count)


@pytest.mark.parametrize("kind", ["entry", "head", "cut"])
async def test_a_change_in_table_storage_opens_one_incident_that_says_where(
    stack, bus, http, tables, kind
):
    async with Portal(stack, "tampered-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 6)
        size = size_of((await portal.mine("POST", "log/checkpoints")).text)
        assert found(stack, portal.tenant) == []
        await grow(portal, 1)
        index = random.randrange(size)
        await tamper(tables.get_table_client("accesslog"), portal.tenant, kind, index)
        findings = found(stack, portal.tenant)
        assert findings
        if kind == "entry":
            assert ("entry-changed", index, index + 1) in findings
        (incident,) = await incidents(bus, portal.tenant, 1)
        assert incident["severity"] == "critical"
        first = min(findings, key=lambda one: one[1:])
        assert f"{first[0]} at entr" in incident["summary"]
        assert incident["resource"] == f"log/entries/{first[1]}"
        assert found(stack, portal.tenant) == findings
        assert await incidents(bus, portal.tenant) == [incident]
        if kind == "cut":
            answer = await portal.mine("POST", "log/checkpoints")
            assert answer.status_code == 500
            assert answer.json()["type"].endswith(":log-damaged")


async def test_a_history_that_was_rewritten_in_full_is_neither_signed_nor_overlooked(
    stack, bus, tables
):
    async with Portal(stack, "forked-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 4)
        before = (await portal.mine("POST", "log/checkpoints")).text
        await rewrite(stack, tables.get_table_client("accesslog"), portal.tenant)
        answer = await portal.mine("POST", "log/checkpoints")
        assert answer.status_code == 500
        assert answer.json()["type"].endswith(":log-damaged")
        assert (await portal.mine("GET", "log/checkpoint")).text == before
        assert "root-differs" in [kind for kind, _, _ in found(stack, portal.tenant)]
        (incident,) = await incidents(bus, portal.tenant, 1)
        assert "root-differs" in incident["summary"]


async def rewrite(stack, table, tenant):
    """Put another history in the place of a log, which adds up by itself."""
    store = AzureTables(stack.info["connection_strings"]["storage"])
    kept = [payload async for _, payload in LogStore(store).read(tenant)]
    async for row in table.query_entities("PartitionKey eq @t", parameters={"t": tenant}):
        await table.delete_entity(tenant, row["RowKey"])
    forged = [
        NewEntry("/vouchsafe", str(number), payload.replace(b'"denied"', b'"failed"'))
        for number, payload in enumerate([*kept, kept[-1]])
    ]
    await LogStore(store).append(tenant, forged)
    await store.close()


async def test_the_daily_watch_and_the_timer_of_checkpoints_run(stack, bus, http, tables):
    async with Portal(stack, "timed-" + uuid.uuid4().hex[:8]) as portal:
        first = size_of((await portal.mine("GET", "log/checkpoint")).text)
        await grow(portal, 2)
        assert size_of((await portal.mine("GET", "log/checkpoint")).text) == first
        fired = await http.post("/admin/functions/publish_checkpoints", json={"input": ""})
        assert fired.status_code == 202

        async def newest():
            return size_of((await portal.mine("GET", "log/checkpoint")).text)

        await eventually(newest, lambda size: size == first + 2)
        await tamper(tables.get_table_client("accesslog"), portal.tenant, "head", 0)
        fired = await http.post("/admin/functions/watch_logs", json={"input": ""})
        assert fired.status_code == 202
        (incident,) = await incidents(bus, portal.tenant, 1)
        assert "head-changed" in incident["summary"]


def size_of(note):
    return Checkpoint.parse(Note.parse(note).text).size


async def tamper(table, tenant, kind, index):
    """Change rows of the log past the app."""
    if kind == "cut":
        await table.delete_entity(tenant, "head")
        return
    if kind == "head":
        head = await table.get_entity(tenant, "head")
        head["edge0"] = bytes(len(head["edge0"]))
        await table.update_entity(head)
        return
    async for row in table.query_entities("PartitionKey eq @t", parameters={"t": tenant}):
        if not row["RowKey"].startswith("s|"):
            continue
        first = (1 << 48) - 1 - int(row["RowKey"].removeprefix("s|"), 16)
        entries = decode_bundle(row["e0"])
        if first <= index < first + len(entries):
            changed = entries[index - first].replace(b'"tenant":"', b'"tenant":"x')[:-1]
            assert changed != entries[index - first]
            row["e0"] = row["e0"].replace(entries[index - first], changed)
            await table.update_entity(row)
            return
    raise AssertionError(f"no row has entry {index}")
