"""Whoever can write to all tables still gets nothing signed but what continues `evidence`."""

import base64
import os
import uuid

import pytest
from azure.data.tables import EdmType, EntityProperty, UpdateMode

from shared.accesslog import LogDamagedError
from shared.accesslog.proofs.evidence import Evidence
from shared.azure.blobs import AzureBlobs
from shared.azure.tables import AzureTables
from shared.catalogue import LOG_CHECKPOINTS_TABLE
from shared.merkle import (
    Checkpoint,
    Note,
    SigningKey,
    UnknownKeyError,
    decode_bundle,
    encode_bundle,
    leaf_hash,
    open_checkpoint,
    root_of,
)
from tests.accesslog.logs import log_store
from tests.journeys.logs import found, grow, incidents, instance, size_of, tamper, verifiers
from tests.journeys.portal import Portal
from tests.journeys.test_log_damaged import segment


@pytest.fixture
async def portal(stack):
    async with Portal(stack, "anchored-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 6)
        yield portal


@pytest.fixture
def log(tables):
    return tables.get_table_client("accesslog")


@pytest.fixture
def checkpoints(tables):
    return tables.get_table_client(LOG_CHECKPOINTS_TABLE.name)


async def published(portal):
    """A checkpoint of now."""
    answer = await portal.mine("POST", "log/checkpoints")
    assert answer.status_code == 201, answer.text
    return answer.text


async def evidence(blobs, tenant):
    """The notes that are kept, by the sizes that they state."""
    container = blobs.get_container_client("evidence")
    notes = {}
    async for blob in container.list_blobs(name_starts_with=f"log-checkpoints/{tenant}/"):
        note = (await (await container.download_blob(blob.name)).readall()).decode()
        notes[size_of(note)] = note
    return notes


async def is_refused(portal, blobs, before):
    """Whether nothing can be published, and nothing was signed since `before` was all there is."""
    answer = await portal.mine("POST", "log/checkpoints")
    kept = await evidence(blobs, portal.tenant)
    return (answer.status_code, kept) == (500, before) and answer.json()["type"].endswith(
        ":log-damaged"
    )


async def rows_of(table, tenant):
    query = table.query_entities("PartitionKey eq @t", parameters={"t": tenant})
    return {row["RowKey"]: row async for row in query}


async def roll_back(table, tenant, earlier):
    """Make the rows of a table what they were."""
    for name in await rows_of(table, tenant):
        if name not in earlier:
            await table.delete_entity(tenant, name)
    for row in earlier.values():
        await table.upsert_entity(row, mode=UpdateMode.REPLACE)


async def rewrite(log, tenant, index, size):
    """Change an entry wherever the tables say what it is. Returns the root of then."""
    row, first, _ = await segment(log, tenant, index)
    entries = list(decode_bundle(row["e0"]))
    changed = entries[index - first].replace(b'"id":"sven"', b'"id":"bob"')
    assert changed != entries[index - first]
    entries[index - first] = changed
    row["e0"] = encode_bundle(entries)
    row["checks"] = b"".join(leaf_hash(entry)[:8] for entry in entries)
    await log.update_entity(row)
    leaves = []
    for place in range(size):
        row, first, _ = await segment(log, tenant, place)
        leaves.append(leaf_hash(decode_bundle(row["e0"])[place - first]))
    head = await log.get_entity(tenant, "head")
    head["edge0"] = b"".join(leaves)
    await log.update_entity(head)
    return root_of(leaves)


async def test_a_key_that_was_added_in_the_tables_has_no_say(
    stack, portal, tables, blobs, log, checkpoints
):
    note = await published(portal)
    size, origin = size_of(note), note.split("\n", 1)[0]
    genuine = await verifiers(portal)
    forger = SigningKey.of_seed(origin, os.urandom(32))
    keys = await tables.create_table_if_not_exists("logkeys")
    public = base64.urlsafe_b64encode(forger.verifier.public).decode().rstrip("=")
    row = {"version": "0", "public": public, "created": "2020-01-01T00:00:00.000000Z"}
    await keys.create_entity({"PartitionKey": "log-signing-key", "RowKey": uuid.uuid4().hex, **row})
    root = await rewrite(log, portal.tenant, 3, size)
    forged = Checkpoint(origin, size, root).sign([forger])
    for row in (await rows_of(checkpoints, portal.tenant)).values():
        if "note" in row:
            row["note"], row["root"] = forged, base64.b64encode(root).decode()
            await checkpoints.update_entity(row)
    await grow(portal, 1)
    assert await is_refused(portal, blobs, {size: note})
    assert await verifiers(portal) == genuine
    with pytest.raises(UnknownKeyError):
        open_checkpoint(forged, await verifiers(portal))
    assert "root-differs" in [kind for kind, _, _ in found(stack, portal.tenant)]
    (incident,) = await incidents(stack, portal.tenant, 1)
    assert "root-differs" in incident["summary"]


@pytest.mark.parametrize("grown", [0, 1, 4, 6], ids="grown by {}".format)
async def test_no_fork_is_signed_of_a_log_that_was_put_back(
    stack, portal, blobs, http, log, checkpoints, grown
):
    """To be shorter than what was published, as long, or longer."""
    before = size_of(await published(portal))
    earlier = [await rows_of(table, portal.tenant) for table in (log, checkpoints)]
    await grow(portal, 4)
    size = size_of(await published(portal))
    kept = await evidence(blobs, portal.tenant)
    for table, rows in zip((log, checkpoints), earlier, strict=True):
        await roll_back(table, portal.tenant, rows)
    # By the rows alone, there would be nothing to publish.
    fired = await http.post("/admin/functions/publish_checkpoints", json={"input": ""})
    assert fired.status_code == 202
    (incident,) = await incidents(stack, portal.tenant, 1)
    assert "root-differs" in incident["summary"]
    await grow(portal, grown)
    assert await is_refused(portal, blobs, kept)
    # Who verifies the log by its URL is held to what was signed, too.
    assert (await portal.mine("GET", "log/checkpoint")).text == kept[size]
    # A shorter one is cut off; of the others, the last that fits is known.
    first = before + grown if before + grown < size else before
    assert ("root-differs", first, size) in found(stack, portal.tenant)


async def test_what_the_watch_has_kept_cannot_hide_a_history_that_was_rewritten(
    stack, portal, log, checkpoints
):
    size = size_of(await published(portal))
    await grow(portal, 2)
    root = await rewrite(log, portal.tenant, 3, size + 2)
    for name in await rows_of(checkpoints, portal.tenant):
        await checkpoints.delete_entity(portal.tenant, name)
    at = "2026-11-23T12:00:00.000000Z"
    row = {
        "PartitionKey": portal.tenant,
        "RowKey": "watched",
        "size": EntityProperty(size + 2, EdmType.INT64),
        "root": base64.b64encode(root).decode(),
        "at": at,
    }
    await checkpoints.create_entity(row)
    assert ("root-differs", 0, size) in found(stack, portal.tenant)


@pytest.mark.parametrize("kind", ["invented", "changed", "lost"])
async def test_nothing_is_signed_whose_entries_do_not_lead_to_the_head(portal, blobs, log, kind):
    note = await published(portal)
    size = size_of(note)
    await grow(portal, 2)
    row, _, _ = await segment(log, portal.tenant, size + 1)
    if kind == "invented":
        head = await log.get_entity(portal.tenant, "head")
        head["edge0"] += bytes(32 * 3)
        head["size"] = EntityProperty(size + 2 + 3, EdmType.INT64)
        await log.update_entity(head)
    elif kind == "changed":
        await tamper(log, portal.tenant, "entry", size + 1)
    else:
        await log.delete_entity(portal.tenant, row["RowKey"])
    assert await is_refused(portal, blobs, {size: note})


async def test_rows_of_what_was_published_are_made_good_where_the_log_is_intact(
    stack, portal, checkpoints
):
    note = await published(portal)
    rows = await rows_of(checkpoints, portal.tenant)
    rows["latest"]["note"] = note.replace(note[-6], "A" if note[-6] != "A" else "B")
    await checkpoints.update_entity(rows["latest"])
    assert (await portal.mine("GET", "log/checkpoint")).text == note
    assert instance(stack, "publish", portal.tenant) == note
    # That it was changed is told all the same.
    assert [kind for kind, _, _ in found(stack, portal.tenant)] == ["checkpoint-changed"]


@pytest.fixture
async def adapters(stack):
    storage = stack.info["connection_strings"]["storage"]
    made = AzureTables(storage), AzureBlobs(storage)
    yield made
    for adapter in made:
        await adapter.close()


async def test_another_checkpoint_in_the_place_of_one_is_damage(portal, adapters, blobs):
    note = await published(portal)
    size = size_of(note)
    evidence_of = Evidence(adapters[1])
    await evidence_of.keep(portal.tenant, size, note)
    signatures = Note.parse(note).signatures
    edge = await log_store(adapters[0]).edge_at(portal.tenant, size - 1)
    other = Checkpoint(note.split("\n", 1)[0], size, edge.root())
    forged = str(Note(other.text, signatures))
    with pytest.raises(LogDamagedError):
        await evidence_of.keep(portal.tenant, size, forged)
    assert await evidence(blobs, portal.tenant) == {size: note}
