"""What each reader of a log answers when one row of it was changed past the app."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from shared.accesslog.proofs.cosignatures import cosignature_row
from shared.accesslog.storage.layout import EVENTS, segment_key
from shared.catalogue import (
    ACCESS_LOG_TABLE,
    LOG_CHECKPOINTS_TABLE,
    LOG_WATCH_TABLE,
    LOG_WITNESSES_TABLE,
)
from shared.merkle import decode_bundle, encode_bundle
from tests.journeys.logs import downloaded, found, grow, incidents, size_of, tamper, verify, vkeys
from tests.journeys.portal import Portal
from tests.journeys.test_log_damaged import segment

# The entries of each log: its registration and six accesses, one a segment.
SIZE = 7


@dataclass(frozen=True)
class Log:
    """The tables of one tenant's log."""

    tenant: str
    entries: TableClient
    checkpoints: TableClient
    witnesses: TableClient
    watch: TableClient

    async def put(self, table: TableClient, row: str, **values: Any) -> None:
        """Give columns of a row, new or not, other values, None for none at all."""
        query = table.query_entities(
            "PartitionKey eq @p and RowKey eq @r", parameters={"p": self.tenant, "r": row}
        )
        kept = [dict(one) async for one in query]
        changed = dict(kept[0] if kept else {"PartitionKey": self.tenant, "RowKey": row}) | values
        changed = {name: value for name, value in changed.items() if value is not None}
        await table.upsert_entity(changed, mode=UpdateMode.REPLACE)

    async def entry(self, index: int, payload: bytes) -> None:
        """Put another entry in the place of one."""
        row, first, _ = await segment(self.entries, self.tenant, index)
        entries = list(decode_bundle(row["e0"]))
        entries[index - first] = payload
        row["e0"] = encode_bundle(entries)
        await self.entries.update_entity(row)

    async def latest(self, old: str, new: str) -> None:
        """Replace some text in the note that was published last."""
        row = await self.checkpoints.get_entity(self.tenant, "latest")
        assert old in row["note"]
        await self.put(self.checkpoints, "latest", note=row["note"].replace(old, new))


async def event_of(log, index):
    """The row of the event whose entry has this index; each segment has one entry."""
    query = log.entries.query_entities(
        "PartitionKey eq @p and RowKey ge @first and RowKey lt @last",
        parameters={"p": log.tenant, "first": EVENTS, "last": EVENTS[:-1] + "}"},
    )
    (row,) = [row async for row in query if row["at"].value >> 7 == index]
    return row


async def event_gone(log):
    row = await event_of(log, 3)
    await log.entries.delete_entity(log.tenant, row["RowKey"])


async def event_of_another_entry(log):
    row, other = await event_of(log, 3), await event_of(log, 4)
    await log.put(log.entries, row["RowKey"], at=other["at"])


async def at_row(log):
    await log.put(log.checkpoints, f"at|{SIZE:016x}", size="x")


async def at_row_and_an_entry(log):
    await at_row(log)
    await tamper(log.entries, log.tenant, "entry", 2)


async def latest_signature(log):
    note = (await log.checkpoints.get_entity(log.tenant, "latest"))["note"]
    await log.latest(note[-8:], ("AAAA" if note[-8:-4] != "AAAA" else "BBBB") + note[-4:])


async def latest_origin(log):
    await log.latest("/tenants/", "/others/")


async def latest_without_note(log):
    await log.put(log.checkpoints, "latest", note=None)


async def latest_size(log):
    await log.put(log.checkpoints, "latest", size="x")


async def cosignature(log):
    await log.put(log.witnesses, cosignature_row(SIZE, "00"), line="garbage")


async def witness(log):
    await log.put(log.witnesses, "witness|00", vkey="garbage")


async def watched(log):
    await log.put(log.watch, "watched", size="x")


async def head_size(log):
    await log.put(log.entries, "head", size="x")


async def head_size_and_an_entry(log):
    await head_size(log)
    await tamper(log.entries, log.tenant, "entry", 2)


async def deep_entry(log):
    await log.entry(3, b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}")


async def entry_of_no_unicode(log):
    await log.entry(3, b'{"source":"\\ud800","id":"1"}')


async def segment_column(log):
    row, _, _ = await segment(log.entries, log.tenant, 3)
    await log.put(log.entries, row["RowKey"], e0=5)


async def extra_row(log):
    await log.put(log.entries, segment_key(3) + "~", checks=b"", e0=b"")


async def extra_row_between(log):
    await log.put(log.entries, "s|0", e0=b"")


async def extra_row_below(log):
    await log.put(log.entries, "s|zz", e0=b"")


type Tamper = Callable[[Log], Awaitable[None]]


@dataclass(frozen=True)
class Told:
    """What is answered: by `verify-log` of a file and by URL, what the watch finds among others,
    and what HTTP refuses as damaged.
    """

    export: str
    url: str
    watch: set[tuple[str, int, int]]
    refused: frozenset[str] = frozenset()


TILE, BUNDLE, OLD = f"tile/0/000.p/{SIZE}", f"tile/entries/000.p/{SIZE}", f"checkpoints/{SIZE}"
READINGS = ("checkpoint", OLD, "entries", TILE, BUNDLE, "witnesses", "POST checkpoints")

CHANGED_3 = Told("changed 3-3", "changed 3-3", {("entry-changed", 3, 4)})
LAST = Told("intact", "intact", {("checkpoint-changed", SIZE, SIZE)})
LAST_UNREADABLE = Told("intact", "intact", {("checkpoint-changed", 0, 0)})
# Nothing can be appended to the log any more, and so no export of it be recorded.
HEADLESS = frozenset({"entries", TILE, BUNDLE, "POST checkpoints"})

TOLD: list[tuple[Tamper, Told]] = [
    (at_row, Told("intact", "intact", {("checkpoint-changed", SIZE, SIZE)}, frozenset({OLD}))),
    (
        at_row_and_an_entry,
        Told(
            "changed 2-2",
            "changed 2-2",
            {("checkpoint-changed", SIZE, SIZE), ("entry-changed", 2, 3)},
            frozenset({OLD}),
        ),
    ),
    (latest_signature, LAST),
    (latest_origin, LAST),
    (latest_without_note, LAST_UNREADABLE),
    (latest_size, LAST_UNREADABLE),
    (cosignature, Told("intact", "intact", {("cosignature-changed", SIZE, SIZE)})),
    (witness, Told("intact", "intact", {("witness-changed", 0, 0)})),
    (watched, Told("intact", "intact", {("watch-changed", 0, 0)})),
    (head_size, Told("refused", "truncated 0-6", {("head-changed", 0, SIZE)}, HEADLESS)),
    (
        head_size_and_an_entry,
        Told(
            "refused",
            "truncated 0-6",
            {("head-changed", 0, SIZE), ("entry-changed", 2, 3)},
            HEADLESS,
        ),
    ),
    (event_gone, Told("intact", "intact", {("event-missing", 3, 4)})),
    (
        event_of_another_entry,
        Told("intact", "intact", {("event-missing", 3, 4), ("event-astray", 4, 5)}),
    ),
    (deep_entry, CHANGED_3),
    (entry_of_no_unicode, CHANGED_3),
    (
        segment_column,
        Told("missing 3-3", "missing 3-6", {("entries-missing", 3, 4)}, frozenset({BUNDLE})),
    ),
    (extra_row, Told("intact", "intact", {("row-astray", 3, 3)})),
    (extra_row_between, Told("intact", "intact", {("row-astray", SIZE, SIZE)})),
    (extra_row_below, Told("intact", "intact", {("row-astray", 0, 0)})),
]


async def verified(portal: Portal, log: str | Path, *more: str) -> str:
    """What `verify-log` says: intact, or the kind and the place of what is wrong."""
    keys = [part for vkey in await vkeys(portal) for part in ("--key", vkey)]
    done = await asyncio.to_thread(verify, log, "--json", *keys, *more)
    assert done.returncode < 2, done.stderr
    said = json.loads(done.stdout)
    return "intact" if said["intact"] else f"{said['kind']} {said['entry']}-{said['last']}"


async def export(portal: Portal, folder: Path) -> str:
    """What `verify-log` says of the export, unless that is refused as the log is damaged."""
    answer = await portal.mine("GET", "log/export")
    if answer.status_code == 500:
        assert answer.json()["type"].endswith(":log-damaged")
        return "refused"
    path = folder / "log.ndjson"
    path.write_bytes((await downloaded(answer)).content)
    return await verified(portal, path)


async def refused(portal: Portal) -> frozenset[str]:
    """What HTTP refuses as the log is damaged; all else it gives."""
    damaged = set()
    for asked in READINGS:
        method, _, path = asked.rpartition(" ")
        answer = await portal.mine(method or "GET", f"log/{path}")
        if answer.status_code >= 400:
            assert answer.json()["type"].endswith(":log-damaged"), asked
            damaged.add(asked)
    return frozenset(damaged)


@pytest.mark.parametrize(("change", "told"), TOLD, ids=[one.__name__ for one, _ in TOLD])
async def test_one_row_that_was_changed_is_told_by_all_that_read_it(
    stack, tables, tmp_path, change: Tamper, told: Told
):
    async with Portal(stack, "row-" + uuid.uuid4().hex[:8]) as portal:
        await grow(portal, SIZE - 1)
        assert size_of((await portal.mine("POST", "log/checkpoints")).text) == SIZE
        stores = ACCESS_LOG_TABLE, LOG_CHECKPOINTS_TABLE, LOG_WITNESSES_TABLE, LOG_WATCH_TABLE
        clients = [tables.get_table_client(store.name) for store in stores]
        for store in stores:
            await tables.create_table_if_not_exists(store.name)
        await change(Log(portal.tenant, *clients))
        url = f"{stack.info['endpoints']['app']}/api/tenants/{portal.tenant}/log"
        token = await portal.token("mia", "tenant.dam_manager", portal.tenant)
        assert await verified(portal, url, "--token", token) == told.url
        findings = await asyncio.to_thread(found, stack, portal.tenant)
        assert set(findings) >= told.watch
        (incident,) = await incidents(stack, portal.tenant, 1)
        assert findings[0][0] in incident["summary"]
        assert await refused(portal) == told.refused
        assert await export(portal, tmp_path) == told.export
        # Whatever was written since, what was found is not forgotten.
        later = await asyncio.to_thread(found, stack, portal.tenant)
        assert {kind for kind, *_ in later} >= {kind for kind, *_ in told.watch}
