"""A tenant takes a log with it that was damaged past the app, and sees where."""

import json
import uuid
from pathlib import Path

import pytest

from shared.accesslog.storage.layout import first_of
from shared.catalogue import LOG_CHECKPOINTS_TABLE
from shared.merkle import Note, decode_bundle
from shared.ports import Row
from tests.journeys.logs import exported, grow, size_of, tamper, verify, vkeys
from tests.journeys.portal import Portal, eventually

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()


@pytest.fixture
async def portal(stack):
    async with Portal(stack, "damaged-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 6)
        yield portal


async def published(portal):
    """The size of a checkpoint of now."""
    return size_of((await portal.mine("POST", "log/checkpoints")).text)


async def told(portal, path):
    """What `verify-log` says of an export that is not intact."""
    keys = [part for vkey in await vkeys(portal) for part in ("--key", vkey)]
    done = verify(path, "--json", *keys)
    assert done.returncode == 1, done.stdout + done.stderr
    said = json.loads(done.stdout)
    return said["kind"], said["entry"], said["last"]


async def segment(table, tenant, index):
    """The row with an entry, and the first and last of its entries."""
    async for row in table.query_entities("PartitionKey eq @t", parameters={"t": tenant}):
        if row["RowKey"].startswith("s|"):
            first = first_of(Row(tenant, row["RowKey"], {}))
            last = first + len(decode_bundle(row["e0"])) - 1
            if first <= index <= last:
                return row, first, last
    raise AssertionError(f"no row has entry {index}")


@pytest.mark.parametrize("how", ["gone", "broken"])
async def test_entries_that_are_gone_are_marked_in_the_export_and_the_others_are_there(
    portal, tables, tmp_path, how
):
    table = tables.get_table_client("accesslog")
    await published(portal)
    row, first, last = await segment(table, portal.tenant, 3)
    if how == "gone":
        await table.delete_entity(portal.tenant, row["RowKey"])
    else:
        row["e0"] = row["e0"][:-1]
        await table.update_entity(row)
    path = await exported(portal, tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"missing": first, "last": last} in lines
    there = [line["index"] for line in lines if "entry" in line]
    assert there == [n for n in range(lines[0]["size"]) if not first <= n <= last]
    assert await told(portal, path) == ("missing", first, last)


async def test_the_last_signed_entries_that_are_gone_are_missing_and_not_cut_off(
    portal, tables, tmp_path
):
    table = tables.get_table_client("accesslog")
    size = await published(portal)
    row, first, last = await segment(table, portal.tenant, size - 1)
    await table.delete_entity(portal.tenant, row["RowKey"])
    await tamper(table, portal.tenant, "head", 0)
    path = await exported(portal, tmp_path)
    assert await told(portal, path) == ("missing", first, last)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    missing = lines.index({"missing": first, "last": last})
    assert lines[missing + 1] == {"unsigned": size}
    assert lines[missing + 2]["entry"]["action"] == "log.exported"
    assert size_of((await portal.mine("GET", "log/checkpoint")).text) == size


async def test_a_changed_entry_is_in_the_export_as_it_is_now(portal, tables, tmp_path):
    size = await published(portal)
    await tamper(tables.get_table_client("accesslog"), portal.tenant, "entry", size - 2)
    assert await told(portal, await exported(portal, tmp_path)) == ("changed", size - 2, size - 2)


@pytest.mark.parametrize("checkpoints", ["kept", "gone", "forged"])
async def test_a_log_that_cannot_be_signed_any_more_is_exported_as_far_as_it_was(
    portal, tables, tmp_path, checkpoints
):
    size = await published(portal)
    note = (await portal.mine("GET", "log/checkpoint")).text
    await tamper(tables.get_table_client("accesslog"), portal.tenant, "head", 0)
    table = tables.get_table_client(LOG_CHECKPOINTS_TABLE.name)
    if checkpoints == "gone":
        await table.delete_entity(portal.tenant, "latest")
    if checkpoints == "forged":
        row = await table.get_entity(portal.tenant, "latest")
        row["root"], row["size"] = row["root"][::-1], size + 1
        await table.update_entity(row)
    path = await exported(portal, tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert Note.parse(lines[0]["checkpoint"]).text == Note.parse(note).text
    assert [line["index"] for line in lines if "entry" in line] == list(range(size + 1))
    assert {"unsigned": size} in lines
    assert await told(portal, path) == ("unsigned", size, None)
    assert lines[0]["size"] == size


async def test_an_export_that_cannot_be_logged_is_refused_and_says_how_to_read_the_log(
    portal, tables
):
    await published(portal)
    await tamper(tables.get_table_client("accesslog"), portal.tenant, "cut", 0)
    answer = await portal.mine("GET", "log/export")
    assert answer.status_code == 500
    assert answer.json()["type"].endswith(":log-damaged")
    assert "`verify-log` with its URL" in answer.json()["remedy"]


async def test_an_erasure_that_cannot_be_logged_is_not_approved(portal, tables):
    await portal.upload("shoot/a.jpg", PHOTO)
    await eventually(portal.assets, bool)
    made = await portal.mine("POST", "erasure-requests", body={"name": "Eileen Collins"})
    request = f"erasure-requests/{made.json()['id']}"
    await eventually(
        lambda: portal.mine("GET", request), lambda a: a.json()["status"] == "awaiting-approval"
    )
    seen = {"If-Match": (await portal.mine("GET", request)).headers["ETag"]}
    table = tables.get_table_client("accesslog")
    head = await table.get_entity(portal.tenant, "head")
    await tamper(table, portal.tenant, "cut", 0)
    approval = f"{request}/approval"
    answer = await portal.mine("PUT", approval, who="noor", headers=seen)
    assert answer.status_code == 500
    assert answer.json()["type"].endswith(":log-damaged")
    await table.upsert_entity(head)
    assert (await portal.mine("GET", request)).json()["status"] == "awaiting-approval"
    assert len(await portal.assets()) == 1
    answer = await portal.mine("PUT", approval, who="noor", headers=seen)
    assert answer.json()["status"] == "erasing"
