"""The rows of events: keys, secret, redactions, and appends and audits at the same time."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.accesslog import EventIdReusedError, LogStore
from shared.accesslog.storage import layout
from shared.accesslog.storage.event_secret import SECRET as SECRET_NAME
from shared.accesslog.storage.event_secret import EventSecret, EventSecretError, HmacKey
from shared.errors import RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import leaf_hash
from shared.ports import Delete, Replace, Row, SecretVersion, Upsert
from tests.accesslog.logs import (
    SECRET,
    audited,
    entries,
    entry,
    kept_ids,
    new_tenant,
    payloads,
    row_of,
)

NOTE = b"redacted\n"


class Vault:
    """A vault with versions of the secret, the oldest first."""

    def __init__(self, *values):
        self.values = list(values)
        self.reads = 0
        self.is_down = False

    async def versions(self, name):
        assert name == SECRET_NAME
        self.reads += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise UnavailableError("vault")
        made = datetime(2026, 1, 1, tzinfo=UTC)
        return [SecretVersion(value, str(n), made) for n, value in enumerate(self.values)]


def value_of(byte):
    return base64.b64encode(bytes([byte] * 32)).decode()


async def event_rows(kept, tenant):
    """The rows of a log's events, and the index that each leads to."""
    rows = kept.scan(layout.TABLE, key(tenant), prefix=layout.EVENTS)
    return {row.row: layout.place_of(row)[0] async for row in rows}


def redactable(kept, logged=None):
    """A store that takes a note for the leaf of the entry that was in its place."""
    hashes = {} if logged is None else logged

    def leaf(_tenant, index, payload):
        return hashes[index] if payload == NOTE else leaf_hash(payload)

    return LogStore(kept, SECRET, leaf=leaf)


async def test_each_entry_has_the_row_of_its_event(store, kept, tenant):
    await store.append(tenant, entries("a", "b"))
    await store.append(tenant, [entry("a", source="other"), entry("c")])
    rows = await event_rows(kept, tenant)
    wanted = [("a", "tests"), ("b", "tests"), ("a", "other"), ("c", "tests")]
    assert rows == {
        await row_of(one, tenant, source=source): index
        for index, (one, source) in enumerate(wanted)
    }


async def test_the_key_of_a_row_is_an_hmac_of_tenant_source_and_id():
    event = json.dumps(["t", "tests", "a"], separators=(",", ":")).encode()
    whole = hmac.new((await SECRET.key(None)).value, event, hashlib.sha256).digest()
    key_of = base64.urlsafe_b64encode(whole[:12]).decode()
    assert await row_of("a", "t") == f"e|{key_of}"
    keys = {
        layout.event_digest(secret, *event)
        for secret in (b"1", b"2")
        for event in (("t", "s", "ab"), ("t", "sa", "b"), ("ts", "a", "b"), ("t", "s\na", "b"))
    }
    assert len(keys) == 8


async def test_the_secret_is_read_once(kept, tenant):
    vault = Vault(value_of(1))
    secret = EventSecret(vault)
    stores = [LogStore(kept, secret) for _ in range(3)]
    await asyncio.gather(*(one.append(tenant, entries(n)) for n, one in enumerate(stores)))
    assert await stores[0].find(tenant, "tests", "2") is not None
    assert vault.reads == 1


async def test_a_new_version_of_the_secret_forgets_no_event(kept, tenant):
    vault = Vault(value_of(1))
    await LogStore(kept, EventSecret(vault)).append(tenant, entries("a"))
    vault.values.append(value_of(2))
    later = LogStore(kept, EventSecret(vault))
    assert await later.append(tenant, entries("b", "a")) == [1, 0]
    assert await later.find(tenant, "tests", "a") == 0


@pytest.mark.parametrize(
    "value", ["", "no base64!", "ü" * 44, base64.b64encode(bytes(31)).decode()]
)
async def test_nothing_is_appended_under_a_secret_that_is_no_key(kept, tenant, value):
    store = LogStore(kept, EventSecret(Vault(value, value_of(2))))
    with pytest.raises(UnavailableError):
        await store.append(tenant, entries("a"))
    assert (await store.head(tenant)).size == 0


async def test_appends_wait_for_a_vault_that_is_down_or_has_no_version(kept, tenant):
    vault = Vault()
    store = LogStore(kept, EventSecret(vault))
    with pytest.raises(UnavailableError):
        await store.append(tenant, entries("a"))
    vault.values, vault.is_down = [value_of(1)], True
    with pytest.raises(UnavailableError):
        await store.append(tenant, entries("a"))
    with pytest.raises(UnavailableError):
        await store.find(tenant, "tests", "a")
    vault.is_down = False
    assert await store.append(tenant, entries("a")) == [0]


async def test_a_log_whose_key_is_not_enabled_takes_no_second_entry_of_an_event(kept, tenant):
    vault = Vault(value_of(1), value_of(2))
    running = LogStore(kept, EventSecret(vault))
    await running.append(tenant, entries("a", "b"))
    del vault.values[0]
    later = LogStore(kept, EventSecret(vault))
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await later.append(tenant, entries("a", "c"))
    with pytest.raises(EventSecretError):
        await later.find(tenant, "tests", "a")
    with pytest.raises(EventSecretError):
        await later.replace(tenant, 0, NOTE)
    # An instance that has read the key goes on, and a new log takes the next version.
    assert await running.append(tenant, entries("a", "c")) == [0, 2]
    young = new_tenant()
    assert await later.append(young, entries("a")) == [0]
    vault.values.insert(0, value_of(1))
    assert await later.append(tenant, entries("c", "b", "d")) == [2, 1, 3]
    for store in (later, running, LogStore(kept, EventSecret(vault))):
        assert await store.append(tenant, entries("a", "d")) == [0, 3]
    for store in (later, LogStore(kept, EventSecret(vault))):
        assert await store.append(young, entries("a", "b")) == [0, 1]
        for one in (tenant, young):
            assert list((await audited(store, one)).findings) == []


async def test_instances_that_begin_a_log_under_two_keys_agree_upon_one(kept, tenant):
    stores = [LogStore(kept, EventSecret(Vault(value_of(n), value_of(3 - n)))) for n in (1, 2)]
    appended = await asyncio.gather(
        *(store.append(tenant, entries("a", "b")) for store in stores * 2)
    )
    assert appended == [[0, 1]] * 4
    assert await kept_ids(stores[0], tenant) == ["a", "b"]
    for store in stores:
        assert list((await audited(store, tenant)).findings) == []


async def test_a_log_from_before_its_head_named_a_key_has_the_oldest(kept, tenant):
    store = LogStore(kept, EventSecret(Vault(value_of(1), value_of(2))))
    await store.append(tenant, entries("a"))
    head = await kept.get(layout.TABLE, tenant, layout.HEAD)
    old = {name: value for name, value in head.values.items() if name != "eventKey"}
    await kept.commit(layout.TABLE, [Delete(tenant, layout.HEAD)])
    await kept.commit(layout.TABLE, [Upsert(Row(tenant, layout.HEAD, old))])
    later = LogStore(kept, EventSecret(Vault(value_of(1), value_of(2))))
    assert await later.append(tenant, entries("b", "a")) == [1, 0]
    assert layout.hmac_key_of(await kept.get(layout.TABLE, tenant, layout.HEAD)) is not None


async def test_an_audit_without_the_key_finds_every_change_but_those_of_events(kept, tenant):
    vault = Vault(value_of(1))
    await LogStore(kept, EventSecret(vault)).append(tenant, entries(*range(5)))
    vault.values = [value_of(2)]
    store = LogStore(kept, EventSecret(vault))
    found = [(one.kind, one.first) for one in (await audited(store, tenant)).findings]
    assert found == [("event-key-missing", 0)]
    row = await kept.get(layout.TABLE, tenant, layout.segment_key(0))
    segment = layout.segment_of(row)
    changed = [*segment.entries[:-1], entry("x").payload]
    rewritten = layout.Segment(0, changed, segment.checks, row.etag)
    await kept.commit(layout.TABLE, [Replace(layout.segment_row(tenant, rewritten))])
    found = [(one.kind, one.first) for one in (await audited(store, tenant)).findings]
    assert found == [("event-key-missing", 0), ("entry-changed", 4)]


@pytest.mark.parametrize("planted", [b"", b"12345678", "text", 5, True])
async def test_a_log_whose_head_names_a_strange_key_takes_no_entries(kept, tenant, planted):
    await LogStore(kept, EventSecret(Vault(value_of(1)))).append(tenant, entries("a"))
    head = await kept.get(layout.TABLE, tenant, layout.HEAD)
    values = head.values | {"eventKey": planted}
    await kept.commit(layout.TABLE, [Replace(Row(tenant, layout.HEAD, values, head.etag))])
    store = LogStore(kept, EventSecret(Vault(value_of(1))))
    with pytest.raises(UnavailableError):
        await store.append(tenant, entries("a", "b"))
    assert await kept_ids(store, tenant) == ["a"]


def test_the_id_of_a_key_tells_keys_apart_and_does_not_tell_the_key():
    keys = [HmacKey.of(bytes([n]) * 32) for n in range(100)]
    assert len({key.id for key in keys}) == 100
    assert all(len(key.id) == 8 and key.id not in key.value for key in keys)


class Asked:
    """Tables that note which rows are asked for."""

    def __init__(self, tables):
        self._tables = tables
        self.asked = []

    def __getattr__(self, name):
        return getattr(self._tables, name)

    async def get(self, table, partition, row):
        self.asked.append(row)
        return await self._tables.get(table, partition, row)


async def test_an_event_is_found_with_a_read_of_its_row_and_a_read_of_its_segment(kept, tenant):
    await LogStore(kept, SECRET).append(tenant, entries(*range(300)))
    tables = Asked(kept)
    assert await LogStore(tables, SECRET).find(tenant, "tests", "200") == 200
    assert tables.asked == [layout.HEAD, await row_of(200, tenant), layout.segment_key(186)]
    tables.asked.clear()
    assert await LogStore(tables, SECRET).find(tenant, "tests", "none") is None
    assert tables.asked == [layout.HEAD, await row_of("none", tenant)]


async def test_who_appends_alone_reads_the_head_once(kept, tenant):
    tables = Asked(kept)
    store = LogStore(tables, SECRET)
    for number in range(10):
        await store.append(tenant, entries(number))
    assert tables.asked == [layout.HEAD]


async def test_the_row_of_an_event_goes_with_the_content_of_its_entry(kept, tenant):
    hashes = {}
    store = redactable(kept, hashes)
    wanted = entries(*range(100))
    await store.append(tenant, wanted)
    for index in (0, 92, 93, 99):
        hashes[index] = leaf_hash(wanted[index].payload)
        await store.replace(tenant, index, NOTE)
        assert await store.find(tenant, "tests", str(index)) is None
        # Once more, as when two redactions meet.
        await store.replace(tenant, index, NOTE)
    left = [index for index in range(100) if index not in hashes]
    assert sorted((await event_rows(kept, tenant)).values()) == left
    assert list((await audited(store, tenant)).findings) == []
    # The events of other entries are known as before.
    assert await store.append(tenant, entries(91, 94)) == [91, 94]


async def test_an_event_that_comes_after_its_redaction_is_a_new_entry(kept, tenant):
    """The consequence of the row's deletion: the log does not recognise the event any more."""
    hashes = {}
    store = redactable(kept, hashes)
    wanted = entries("a", "b", "c")
    await store.append(tenant, wanted)
    hashes[1] = leaf_hash(wanted[1].payload)
    await store.replace(tenant, 1, NOTE)
    assert await store.append(tenant, wanted) == [0, 3, 2]
    assert await store.append(tenant, wanted) == [0, 3, 2]
    assert await store.find(tenant, "tests", "b") == 3
    hashes[3] = hashes[1]
    await store.replace(tenant, 3, NOTE)
    assert await store.find(tenant, "tests", "b") is None
    assert await payloads(store, tenant) == [wanted[0].payload, NOTE, wanted[2].payload, NOTE]
    assert list((await audited(store, tenant)).findings) == []


async def test_a_row_that_leads_to_a_redacted_entry_is_found(kept, tenant):
    hashes = {}
    store = redactable(kept, hashes)
    wanted = entries("a", "b")
    await store.append(tenant, wanted)
    name = await row_of("a", tenant)
    row = await kept.get(layout.TABLE, key(tenant), name)
    hashes[0] = leaf_hash(wanted[0].payload)
    await store.replace(tenant, 0, NOTE)
    await kept.commit(layout.TABLE, [Upsert(row)])
    found = [(one.kind, one.first) for one in (await audited(store, tenant)).findings]
    assert found == [("event-astray", 0)]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.lists(st.integers(0, 20), max_size=6), max_size=3),
            st.lists(st.integers(0, 40), max_size=3),
        ),
        min_size=1,
        max_size=5,
    )
)
async def test_appends_and_redactions_at_once_leave_each_event_at_most_one_readable_entry(
    kept, steps
):
    tenant, hashes = new_tenant(), {}
    stores = [redactable(kept, hashes) for _ in range(3)]
    for calls, redacted in steps:
        size = (await stores[0].head(tenant)).size
        places = {index for index in redacted if index < size}
        for index, payload in enumerate(await payloads(stores[0], tenant)):
            if index in places and payload != NOTE:
                hashes[index] = leaf_hash(payload)
        await asyncio.gather(
            *(stores[n].append(tenant, entries(*call)) for n, call in enumerate(calls)),
            *(stores[n % 3].replace(tenant, index, NOTE) for n, index in enumerate(places)),
        )
        now = await payloads(stores[0], tenant)
        assert all(now[index] == NOTE for index in places)
        ids = [json.loads(payload)["id"] for payload in now if payload != NOTE]
        assert len(ids) == len(set(ids))
        assert list((await audited(stores[0], tenant)).findings) == []


async def test_a_redaction_during_an_audit_is_no_finding(kept, tenant):
    hashes = {}
    store = redactable(kept, hashes)
    wanted = entries(*range(300))
    await store.append(tenant, wanted)
    hashes |= {index: leaf_hash(one.payload) for index, one in enumerate(wanted)}

    class Redacting(Asked):
        """An entry is redacted between the audit's reading of entries and of events' rows."""

        index = 0

        async def scan(self, *args, **options):
            await store.replace(tenant, self.index, NOTE)
            async for row in self._tables.scan(*args, **options):
                yield row

        async def get(self, table, partition, row):
            if row == await row_of(299, tenant):
                await store.replace(tenant, 299, NOTE)
            return await super().get(table, partition, row)

    auditing = redactable(Redacting(kept), hashes)
    assert list((await audited(auditing, tenant)).findings) == []
    assert list((await audited(auditing, tenant, 256)).findings) == []
    assert [n for n, one in enumerate(await payloads(store, tenant)) if one == NOTE] == [0, 299]


async def test_an_audit_beside_appenders_finds_nothing(kept, tenant):
    store = LogStore(kept, SECRET)
    await store.append(tenant, entries(*range(50)))
    finished = asyncio.Event()

    async def append():
        for number in range(50, 400):
            await store.append(tenant, entries(number))
        finished.set()

    appending = asyncio.create_task(append())
    audits = 0
    while not finished.is_set():
        other = LogStore(kept, SECRET)
        assert list((await audited(other, tenant)).findings) == []
        size = (await other.head(tenant)).size
        assert list((await audited(other, tenant, size // 2)).findings) == []
        audits += 1
    await appending
    assert audits


async def test_however_slow_reads_are_nothing_is_doubled(kept, tenant):
    chosen = random.Random(1)

    class Slow(Asked):
        """An answer may come long after it was true."""

        async def get(self, table, partition, row):
            answer = await super().get(table, partition, row)
            await asyncio.sleep(chosen.random() * 0.02 if chosen.random() < 0.3 else 0)
            return answer

    stores = [LogStore(Slow(kept), SECRET) for _ in range(3)]

    async def append(store, numbers):
        for number in numbers:
            again = chosen.randrange(number + 1)
            await store.append(tenant, entries(number, again))

    async def find(store):
        while not appended.is_set():
            size = (await store.head(tenant)).size
            if size:
                index = chosen.randrange(size)
                (identifier,) = [
                    json.loads(payload)["id"]
                    async for _, payload in store.read(tenant, index, index + 1)
                ]
                assert await store.find(tenant, "tests", identifier) == index

    appended = asyncio.Event()
    finding = [asyncio.create_task(find(store)) for store in stores]
    await asyncio.gather(*(append(store, range(at, 240, 3)) for at, store in enumerate(stores)))
    appended.set()
    await asyncio.gather(*finding)
    assert sorted(map(int, await kept_ids(stores[0], tenant))) == list(range(240))
    assert list((await audited(stores[0], tenant)).findings) == []


async def test_tables_that_were_restored_while_an_instance_ran_double_nothing(kept, tenant):
    running, other = LogStore(kept, SECRET), LogStore(kept, SECRET)
    await running.append(tenant, entries(*range(60)))
    rows = {row.row: row async for row in kept.scan(layout.TABLE, key(tenant))}
    await running.append(tenant, entries(*range(60, 100)))
    async for row in kept.scan(layout.TABLE, key(tenant)):
        old = rows.get(row.row)
        change = Upsert(old) if old else Delete(key(tenant), row.row)
        await kept.commit(layout.TABLE, [change])
    await other.append(tenant, entries(*range(200, 240)))
    await running.append(tenant, entries(*range(200, 240)))
    await running.append(tenant, entries(*range(60)))
    with pytest.raises(EventIdReusedError):
        await running.append(tenant, [entry(0, changed=True)])
    assert len(await kept_ids(other, tenant)) == 100
    assert list((await audited(other, tenant)).findings) == []


async def test_a_conflict_that_nobody_explains_is_not_tried_for_ever(kept, tenant):
    class Refusing(Asked):
        async def commit(self, table, operations):
            if isinstance(operations[0], Replace):
                raise RowConflictError(table, 0)
            return await self._tables.commit(table, operations)

    store = LogStore(Refusing(kept), SECRET)
    await store.append(tenant, entries("a"))
    with pytest.raises(Exception, match="damaged"):
        await store.append(tenant, entries("b"))
