"""Outside witnesses cosign a tenant's checkpoints, and their cosignatures are served."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import UpdateMode

from shared.accesslog.proofs.cosignatures import cosignature_row
from shared.catalogue import LOG_WITNESSES_TABLE
from shared.merkle import COSIGNATURE, Note, SigningKey
from tests.journeys.logs import found, grow, size_of, verifiers
from tests.journeys.portal import Portal


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "witnesses-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 3)
        yield portal


WITNESS = SigningKey.of_seed("witness.example/w1", bytes(range(32)), COSIGNATURE)
STRANGER = SigningKey.of_seed("witness.example/w2", bytes(32), COSIGNATURE)


def line(witness, note, at=None):
    return witness.sign(Note.parse(note).text, at or datetime.now(UTC)).line


async def cosign(portal, size, body, **given):
    path = f"tenants/{portal.tenant}/log/checkpoints/{size}/cosignatures"
    return await portal.send("POST", path, content=body, **given)


async def test_cosignatures_of_registered_witnesses_are_kept_and_served(stack, tables, portal):
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
    assert actions.count("log.witness-added") == actions.count("log.witness-viewed") == 1
    listed = (await portal.mine("GET", "log/witnesses")).json()["witnesses"]
    assert [one["name"] for one in listed] == ["witness.example/w1"]
    kept = await cosign(portal, size, line(WITNESS, note) + line(STRANGER, note))
    assert kept.status_code == 200, kept.text
    later = line(WITNESS, note, datetime.now(UTC) + timedelta(seconds=1))
    kept = await cosign(portal, size, line(WITNESS, note) + later)
    assert kept.status_code == 200, kept.text
    assert kept.text.endswith(later)
    served = await portal.mine("GET", f"log/checkpoints/{size}")
    assert served.text == kept.text
    signed = Note.parse(served.content).verify([*(await verifiers(portal)), WITNESS.verifier])
    assert WITNESS.verifier in [key for key, _ in signed]
    assert "witness.example/w2" not in served.text
    assert await asyncio.to_thread(found, stack, portal.tenant) == []
    # A line that the witness has not made is left out, and told.
    table = tables.get_table_client(LOG_WITNESSES_TABLE.name)
    name = cosignature_row(size, listed[0]["id"])
    false = line(WITNESS, note.replace(f"\n{size}\n", f"\n{size + 1}\n"))
    for instead in (false, false + later, later[:-9] + "\n", "", None, 5):
        row = {"PartitionKey": portal.tenant, "RowKey": name, "line": instead}
        await table.upsert_entity(row, mode=UpdateMode.REPLACE)
        assert (await portal.mine("GET", f"log/checkpoints/{size}")).text == note
    changed = await asyncio.to_thread(found, stack, portal.tenant)
    assert changed == [("cosignature-changed", size, size)]
    await table.upsert_entity(row | {"line": later}, mode=UpdateMode.REPLACE)
    path = f"log/witnesses/{listed[0]['id']}"
    assert (await portal.mine("DELETE", path, who="ada")).status_code == 204
    assert (await portal.mine("DELETE", path, who="ada")).status_code == 404
    assert (await portal.mine("GET", f"log/checkpoints/{size}")).text == kept.text
    assert await asyncio.to_thread(found, stack, portal.tenant) == []
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
