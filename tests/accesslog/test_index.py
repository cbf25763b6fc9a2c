"""The index of events: how records go down, what is read of it, and what is known of it."""

import asyncio
import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.accesslog import LogStore
from shared.accesslog.storage import layout, nodes
from shared.accesslog.storage.known import KnownIndices
from shared.accesslog.storage.nodes import Node, Shape
from shared.errors import RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import ProofError
from shared.ports import Delete, Replace, Row, Upsert
from tests.accesslog.faulty import FaultyTables
from tests.accesslog.logs import assert_sound, entries, kept_ids

SMALL = Shape(recent=8, full=4)
RECORDS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), max_size=300)


class Asked:
    """Tables that note which rows are asked for, and what is committed."""

    def __init__(self, tables):
        self._tables = tables
        self.asked = []
        self.committed = []

    def __getattr__(self, name):
        return getattr(self._tables, name)

    async def get(self, table, partition, row):
        self.asked.append(row)
        return await self._tables.get(table, partition, row)

    async def commit(self, table, operations):
        self.committed.append(operations)
        return await self._tables.commit(table, operations)


_numbers = itertools.count(10_000)


def crowd(count, digits):
    """So many new events whose digests begin with the same digits, as somebody may choose them."""
    shape = Shape()
    alike = (
        number
        for number in _numbers
        if nodes.digits_of(shape.digest("tests", str(number))).startswith(digits)
    )
    return entries(*itertools.islice(alike, count))


async def nodes_in(kept, tenant):
    """The nodes of a log's index, by their digits."""
    rows = kept.scan(layout.TABLE, key(tenant), prefix=nodes.PREFIX)
    return {node.prefix: node async for node in _read(rows)}


async def _read(rows):
    async for row in rows:
        yield nodes.node_of(row)


@given(records=RECORDS, prefix=st.text(nodes.DIGITS, max_size=15), below=st.integers(0, 2**40))
def test_records_go_down_whole_and_to_where_they_are_looked_for(records, prefix, below):
    start = int((prefix + "0" * 16)[:16], 16)
    inside = [(digest >> 4 * len(prefix) | start, at) for digest, at in records]
    shares = nodes.shares(prefix, nodes.packed(inside))
    rows = [nodes.run_row("p", child, run, below) for child, run in shares.items()]
    children = [nodes.node_of(row) for row in rows]
    down = [(node.prefix, one) for node in children for one in nodes.records_of(node.records)]
    assert sorted(one for _, one in down) == sorted(inside)
    assert all(nodes.digits_of(digest).startswith(child) for child, (digest, _) in down)
    full = Node(prefix or "0", {"r0_0": nodes.packed(inside)}, below)
    emptied = nodes.node_of(nodes.emptied("p", full))
    assert (emptied.count, emptied.below) == (0, below + len(inside))


def test_a_run_larger_than_a_column_is_several_columns():
    records = [(number, number) for number in range(10_000)]
    row = nodes.run_row("p", "0", nodes.packed(records), 7)
    assert [len(value) for value in row.values.values()] == [65_536, 65_536, 28_928]
    assert sorted(nodes.records_of(nodes.node_of(row).records)) == records


@given(index=st.integers(0, 2**48), offset=st.integers(0, layout.GROUP_ENTRIES - 1))
def test_a_place_is_read_as_it_was_written(index, offset):
    first = max(0, index - offset)
    assert nodes.read_place(nodes.place(index, first)) == (index, first)


@pytest.mark.parametrize("bits", [1, 8, 13, 64])
def test_a_digest_is_the_beginning_of_the_whole_one(bits):
    whole = Shape().digest("tests", "1")
    assert Shape(digest_bits=bits).digest("tests", "1") == whole >> 64 - bits << 64 - bits


def test_the_root_has_a_record_of_each_entry_with_those_below():
    record = nodes.packed([(1, 2)])
    assert nodes.root_of(Row("p", "head", {"recent": record, "below": 4}), 5).count == 1
    for values in ({"recent": record, "below": 5}, {"recent": record[1:]}, {"below": True}, {}):
        with pytest.raises(ProofError):
            nodes.root_of(Row("p", "head", values), 5)


@pytest.mark.parametrize("count", [9, 60, 400])
async def test_a_log_whose_index_goes_deep_is_one_log(kept, tenant, count):
    wanted = entries(*range(count))
    await LogStore(kept, shape=SMALL).append(tenant, wanted)
    for number in range(0, count, 7):
        assert await LogStore(kept, shape=SMALL).find(tenant, "tests", str(number)) == number
    assert await LogStore(kept, shape=SMALL).append(tenant, wanted[::-1]) == [*range(count)][::-1]
    await assert_sound(LogStore(kept, shape=SMALL), tenant)
    assert list((await LogStore(kept, shape=SMALL).audit(tenant)).findings) == []


async def test_events_chosen_to_meet_in_one_node_fill_none(kept, tenant):
    store = LogStore(kept, shape=SMALL)
    wanted = crowd(300, "0a")
    for start in range(0, len(wanted), 5):
        await store.append(tenant, wanted[start : start + 5])
    found = await nodes_in(kept, tenant)
    assert {prefix for prefix in found if len(prefix) <= 2} == {"0", "0a"}
    assert max(node.count for node in found.values()) <= max(2 * SMALL.full, SMALL.recent)
    assert await LogStore(kept, shape=SMALL).append(tenant, wanted) == list(range(300))
    assert list((await store.audit(tenant)).findings) == []


async def test_events_that_share_a_digest_go_down_to_the_deepest_node_and_stay(kept, tenant):
    shape = Shape(digest_bits=1, recent=1, full=1)
    for number in range(60):
        assert await LogStore(kept, shape=shape).append(tenant, entries(number)) == [number]
    found = await nodes_in(kept, tenant)
    assert max(len(prefix) for prefix in found) == nodes.DEEPEST
    store = LogStore(kept, shape=shape)
    assert await store.append(tenant, entries(*range(60))) == list(range(60))
    assert list((await store.audit(tenant)).findings) == []


async def test_many_small_runs_make_a_node_full_too(kept, tenant):
    shape = Shape(recent=4, full=1000, runs=3)
    store = LogStore(kept, shape=shape)
    for number in range(80):
        await store.append(tenant, entries(number, number + 1000))
    found = await nodes_in(kept, tenant)
    assert max(len(prefix) for prefix in found) == 2
    assert max(len(node.runs) for node in found.values()) == shape.runs
    assert list((await store.audit(tenant)).findings) == []


async def test_who_appends_alone_reads_nothing_again(kept, tenant):
    tables = Asked(kept)
    store = LogStore(tables, shape=SMALL)
    await store.append(tenant, entries(*range(300)))
    tables.asked.clear()
    for number in range(300, 320):
        await store.append(tenant, entries(number))
    # Only what a full node has is read, as its places are not kept in memory.
    let_down = [
        operations[0].row.row for operations in tables.committed if _is_of_a_node(operations)
    ]
    assert set(tables.asked) <= set(let_down)


def _is_of_a_node(operations):
    return operations[0].row.row.startswith(nodes.PREFIX)


async def test_events_that_come_again_soon_are_found_without_reading_the_index(kept, tenant):
    await LogStore(kept, shape=SMALL).append(tenant, entries(*range(100)))
    tables = Asked(kept)
    recent = (await root(kept, tenant)).count
    assert recent
    again = range(100 - recent, 100)
    assert await LogStore(tables, shape=SMALL).append(tenant, entries(*again)) == [*again]
    assert not [row for row in tables.asked if row.startswith(nodes.PREFIX)]


async def test_a_new_instance_reads_one_path(kept, tenant):
    await LogStore(kept, shape=SMALL).append(tenant, entries(*range(400)))
    tables = Asked(kept)
    await LogStore(tables, shape=Shape()).append(tenant, entries("new"))
    digits = nodes.digits_of(Shape().digest("tests", "new"))
    path = [nodes.node_key(digits[: depth + 1]) for depth in range(len(tables.asked) - 1)]
    assert tables.asked == [layout.HEAD, *path]
    assert 1 <= len(path) <= 3


async def test_only_what_others_have_changed_is_read_again(kept, tenant):
    tables = Asked(kept)
    mine, other = LogStore(tables, shape=SMALL), LogStore(kept, shape=SMALL)
    await mine.append(tenant, entries(*range(200)))
    for number in itertools.count(200):
        if (await root(kept, tenant)).count < SMALL.recent // 2:
            break
        await mine.append(tenant, entries(number))
    # Nothing goes down, and the root is in the head.
    await other.append(tenant, entries("a"))
    tables.asked.clear()
    await mine.append(tenant, entries("b"))
    assert tables.asked == [layout.HEAD]
    before = await belows(kept, tenant)
    for digit in nodes.DIGITS * 2:
        await other.append(tenant, crowd(1, digit))
    now = await belows(kept, tenant)
    changed = {prefix for prefix, below in now.items() if below != before.get(prefix, 0)}
    assert 1 < len(changed) < len(now)
    tables.asked.clear()
    await mine.append(tenant, entries(*(f"{number}c" for number in range(SMALL.recent))))
    read = {row.removeprefix(nodes.PREFIX) for row in tables.asked} - {layout.HEAD}
    assert read
    assert {prefix[:-1] for prefix in read} <= changed


async def root(kept, tenant):
    """The root of a log's index."""
    return nodes.root_in(await kept.get(layout.TABLE, key(tenant), layout.HEAD))


async def belows(kept, tenant):
    """How many records are below each node, the root included."""
    found = await nodes_in(kept, tenant)
    kept_below = {prefix: node.below for prefix, node in found.items()}
    return {"": (await root(kept, tenant)).below} | kept_below


async def test_instances_that_take_turns_need_not_read_what_the_others_let_down(kept, tenant):
    tables = [Asked(kept), Asked(kept)]
    stores = [LogStore(one, shape=SMALL) for one in tables]
    for number in range(300):
        await stores[number % 2].append(tenant, entries(number))
    for one in tables:
        let_down = [done[0].row.row for done in one.committed if _is_of_a_node(done)]
        read = [row for row in one.asked if row != layout.HEAD]
        # What is below a node that the other one has let down is to be read.
        assert len([row for row in read if len(row) == len("i|0")]) <= 16 + len(let_down)
    assert list((await stores[0].audit(tenant)).findings) == []


async def test_instances_that_make_room_at_once_harm_nothing(kept, tenant):
    stores = [LogStore(kept, shape=SMALL) for _ in range(4)]
    calls = [
        store.append(tenant, entries(*range(60 * number, 60 * number + 100)))
        for number, store in enumerate(stores)
    ]
    await asyncio.gather(*calls)
    assert sorted(map(int, await kept_ids(stores[0], tenant))) == list(range(280))
    assert list((await stores[0].audit(tenant)).findings) == []


@pytest.mark.parametrize("fault", ["before", "after", "late"])
async def test_a_lost_answer_about_a_full_node_loses_no_record(kept, tenant, fault):
    class Faulty(FaultyTables):
        """Has faults for those commits only that let the records of a node down."""

        async def commit(self, table, operations):
            if _is_of_a_node(operations):
                return await super().commit(table, operations)
            return await self._tables.commit(table, operations)

    tables = Faulty(kept, [fault] * 10)
    store = LogStore(tables, shape=SMALL)
    answered = 0
    for number in range(200):
        try:
            await store.append(tenant, entries(number))
            answered += 1
        except UnavailableError:
            assert await LogStore(kept, shape=SMALL).append(tenant, entries(number)) == [number]
    assert tables.commits > 10
    assert answered < 200
    assert await LogStore(kept, shape=SMALL).append(tenant, entries(*range(200))) == [*range(200)]
    assert list((await store.audit(tenant)).findings) == []


async def test_an_audit_beside_appenders_finds_nothing(kept, tenant):
    store = LogStore(kept, shape=SMALL)
    await store.append(tenant, entries(*range(50)))
    finished = asyncio.Event()

    async def append():
        for number in range(50, 400):
            await store.append(tenant, entries(number))
        finished.set()

    appending = asyncio.create_task(append())
    audits = 0
    while not finished.is_set():
        other = LogStore(kept, shape=SMALL)
        assert list((await other.audit(tenant)).findings) == []
        size = (await other.head(tenant)).size
        assert list((await other.audit(tenant, size // 2)).findings) == []
        audits += 1
    await appending
    assert audits


async def test_an_audit_looks_again_at_counts_that_change_meanwhile(kept, tenant):
    other = LogStore(kept, shape=SMALL)
    await other.append(tenant, entries(*range(50)))
    numbers = itertools.count(50)

    class Growing(Asked):
        """The log grows, and lets its records down, while its index is scanned and compared."""

        times = 0

        async def scan(self, *args, **options):
            await self._grow()
            async for row in self._tables.scan(*args, **options):
                yield row

        async def get(self, table, partition, row):
            if row == "i|8" and self.times < 4:
                self.times += 1
                await self._grow()
            return await super().get(table, partition, row)

        async def _grow(self):
            before = (await root(kept, tenant)).below
            while (await root(kept, tenant)).below == before:
                await other.append(tenant, entries(next(numbers)))

    growing = Growing(kept)
    assert list((await LogStore(growing, shape=SMALL).audit(tenant)).findings) == []
    assert growing.times == 4


@pytest.mark.parametrize("most", [1, 30, 1000])
async def test_whatever_is_forgotten_and_however_slow_reads_are_nothing_is_doubled(
    kept, tenant, most
):
    chosen = random.Random(most)

    class Slow(Asked):
        """An answer may come long after it was true."""

        async def get(self, table, partition, row):
            answer = await super().get(table, partition, row)
            await asyncio.sleep(chosen.random() * 0.02 if chosen.random() < 0.3 else 0)
            return answer

    stores = [LogStore(Slow(kept), shape=SMALL) for _ in range(3)]
    for store in stores:
        store._known = KnownIndices(most_digests=most)

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
    ids = await kept_ids(stores[0], tenant)
    assert sorted(map(int, ids)) == list(range(240))
    assert list((await stores[0].audit(tenant)).findings) == []


async def test_tables_that_were_put_back_while_an_instance_ran_double_nothing(kept, tenant):
    running, other = LogStore(kept, shape=SMALL), LogStore(kept, shape=SMALL)
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
    assert len(await kept_ids(other, tenant)) == 100
    assert list((await other.audit(tenant)).findings) == []


async def test_what_is_not_known_is_not_taken_for_known(kept, tenant):
    chosen = random.Random(1)

    class Losing(Asked):
        """Another instance is first, now and then, when a node is let down."""

        conflicts = 0

        async def commit(self, table, operations):
            if _is_of_a_node(operations) and chosen.random() < 0.5:
                self.conflicts += 1
                raise RowConflictError(table, 0)
            return await super().commit(table, operations)

    tables = Losing(kept)
    stores = [LogStore(tables, shape=SMALL), LogStore(kept, shape=SMALL)]
    for number in range(300):
        await chosen.choice(stores).append(tenant, entries(number))
        for store in stores:
            await _assert_known(store, kept, tenant, number + 1)
    assert tables.conflicts


async def _assert_known(store, kept, tenant, count):
    """No event of the log is taken for one that is known not to be in it."""
    known, now = store._known.of(key(tenant)), await root(kept, tenant)
    for number in range(count):
        digest = SMALL.digest("tests", str(number))
        if digest in known.digests or digest in now.digests():
            continue
        digits, depth, below = nodes.digits_of(digest), 1, now.below
        while below and (node := known.node(digits[:depth], below)):
            below, depth = node.below, depth + 1
        assert below, f"{number} is in the log, and {digits[:depth]} is taken for all there is"


async def test_a_conflict_that_nobody_explains_is_not_tried_for_ever(kept, tenant):
    class Refusing(Asked):
        async def commit(self, table, operations):
            if isinstance(operations[0], Replace):
                raise RowConflictError(table, 0)
            return await super().commit(table, operations)

    store = LogStore(Refusing(kept), shape=SMALL)
    await store.append(tenant, entries("a"))
    with pytest.raises(Exception, match="damaged"):
        await store.append(tenant, entries("b"))
