"""Rows of a log that are changed past the app are found, told once, and never covered up."""

import base64
import random
import uuid

import pytest

from shared.accesslog import NewEntry
from shared.accesslog.storage import layout
from shared.accesslog.storage.commits import commit_of
from shared.accesslog.storage.head import Head
from shared.accesslog.storage.pending import PendingAppend
from shared.azure.tables import AzureTables
from shared.catalogue import LOG_CHECKPOINTS_TABLE
from shared.merkle import Edge
from tests.accesslog.logs import log_store
from tests.journeys.logs import found, grow, incidents, size_of, tamper
from tests.journeys.portal import Portal, eventually


@pytest.mark.parametrize("kind", ["entry", "head", "cut"])
async def test_a_change_in_table_storage_opens_one_incident_that_says_where(
    stack, http, tables, kind
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
        (incident,) = await incidents(stack, portal.tenant, 1)
        assert incident["severity"] == "critical"
        first = min(findings, key=lambda one: one[1:])
        assert f"{first[0]} at entr" in incident["summary"]
        assert incident["resource"] == f"log/entries/{first[1]}"
        assert found(stack, portal.tenant) == findings
        assert await incidents(stack, portal.tenant) == [incident]
        if kind == "cut":
            answer = await portal.mine("POST", "log/checkpoints")
            assert answer.status_code == 500
            assert answer.json()["type"].endswith(":log-damaged")


async def test_a_history_that_was_rewritten_in_full_is_neither_signed_nor_overlooked(stack, tables):
    async with Portal(stack, "forked-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 4)
        before = (await portal.mine("POST", "log/checkpoints")).text
        await rewrite(stack, tables.get_table_client("accesslog"), portal.tenant)
        answer = await portal.mine("POST", "log/checkpoints")
        assert answer.status_code == 500
        assert answer.json()["type"].endswith(":log-damaged")
        assert (await portal.mine("GET", "log/checkpoint")).text == before
        assert "root-differs" in [kind for kind, _, _ in found(stack, portal.tenant)]
        (incident,) = await incidents(stack, portal.tenant, 1)
        assert "root-differs" in incident["summary"]


@pytest.mark.parametrize("kind", ["gone", "forged"])
async def test_rows_of_checkpoints_count_only_as_far_as_they_are_signed(stack, tables, kind):
    """Whoever rewrites a log and what was published of it still stands against `evidence`."""
    async with Portal(stack, f"{kind}-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 4)
        await portal.mine("POST", "log/checkpoints")
        await rewrite(stack, tables.get_table_client("accesslog"), portal.tenant)
        store = AzureTables(stack.info["connection_strings"]["storage"])
        forged = (await log_store(store).edge_at(portal.tenant, 4)).root()
        await store.close()
        checkpoints = tables.get_table_client(LOG_CHECKPOINTS_TABLE.name)
        query = "PartitionKey eq @t", {"t": portal.tenant}
        async for row in checkpoints.query_entities(query[0], parameters=query[1]):
            if kind == "gone":
                await checkpoints.delete_entity(portal.tenant, row["RowKey"])
            elif "root" in row:
                row["root"] = base64.b64encode(forged).decode()
                await checkpoints.update_entity(row)
        answer = await portal.mine("POST", "log/checkpoints")
        assert answer.status_code == 500
        assert answer.json()["type"].endswith(":log-damaged")
        assert "root-differs" in [kind for kind, _, _ in found(stack, portal.tenant)]
        (incident,) = await incidents(stack, portal.tenant, 1)
        assert "root-differs" in incident["summary"]


async def test_checkpoints_go_on_where_their_rows_are_gone_and_the_log_is_intact(stack, tables):
    async with Portal(stack, "lost-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, 2)
        before = size_of((await portal.mine("POST", "log/checkpoints")).text)
        table = tables.get_table_client(LOG_CHECKPOINTS_TABLE.name)
        query = "PartitionKey eq @t", {"t": portal.tenant}
        async for row in table.query_entities(query[0], parameters=query[1]):
            await table.delete_entity(portal.tenant, row["RowKey"])
        await grow(portal, 1)
        answer = await portal.mine("POST", "log/checkpoints")
        assert answer.status_code == 201
        assert size_of(answer.text) == before + 1
        assert found(stack, portal.tenant) == []


async def rewrite(stack, table, tenant):
    """Put another history in the place of a log, which adds up by itself."""
    store = AzureTables(stack.info["connection_strings"]["storage"])
    kept = [payload async for _, payload in log_store(store).read(tenant)]
    hmac_key = layout.hmac_key_of(await store.get(layout.TABLE, tenant, layout.HEAD))
    async for row in table.query_entities("PartitionKey eq @t", parameters={"t": tenant}):
        # Nobody without the secret of the vault can make the rows of events anew.
        if not row["RowKey"].startswith(layout.EVENTS):
            await table.delete_entity(tenant, row["RowKey"])
    forged = [
        NewEntry("/vouchsafe", str(number), payload.replace(b'"denied"', b'"failed"'))
        for number, payload in enumerate([*kept, kept[-1]])
    ]
    call, empty = PendingAppend(forged), Head(Edge.empty(), None, hmac_key)
    head, segment, *_ = commit_of(tenant, empty, call.items).operations
    await store.commit(layout.TABLE, [head, segment])
    await store.close()


async def test_the_daily_watch_and_the_timer_of_checkpoints_run(stack, http, tables):
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
        (incident,) = await incidents(stack, portal.tenant, 1)
        assert "head-changed" in incident["summary"]
