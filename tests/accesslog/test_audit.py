"""What somebody changes past the application, straight in the tables, is found and located."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.accesslog import LogDamagedError, LogStore, NewEntry
from shared.accesslog.storage import layout, nodes
from shared.accesslog.storage.nodes import Root, Shape
from shared.ids import key
from shared.merkle import Edge, NoteError, is_redaction, leaf_hash
from shared.ports import Delete, Insert, Replace, Row, Upsert
from tests.accesslog.logs import entries, entry, new_tenant

# Segments of 3, 60 and 237 (three commits), so that a block of 256 ends inside one.
SIZES = (3, 60, 237)
SIZE = sum(SIZES)


# Records in the root, in the nodes below it, and below those.
SHAPES = [Shape(), Shape(recent=40), Shape(recent=40, full=10)]


each_shape = pytest.mark.parametrize("shape", SHAPES, ids=["root", "nodes", "deep"])


@pytest.fixture
def shape():
    return SHAPES[0]


@pytest.fixture
def store(kept, shape):
    return LogStore(kept, shape=shape)


@pytest.fixture
async def filled(store, tenant):
    """A log of 300 entries."""
    first = 0
    for size in SIZES:
        await store.append(tenant, entries(*range(first, first + size)))
        first += size
    return tenant


class Rows:
    """A log's rows, to be changed."""

    def __init__(self, tables, tenant):
        self._tables = tables
        self._partition = key(tenant)

    async def get(self, name):
        return await self._tables.get(layout.TABLE, self._partition, name)

    async def change(self, name, **values):
        """Give columns of a row other values, None for none at all."""
        row = await self.get(name)
        changed = {n: v for n, v in (row.values | values).items() if v is not None}
        await self._commit(Replace(Row(row.partition, row.row, changed, row.etag)))

    async def delete(self, name):
        await self._commit(Delete(self._partition, name))

    async def put(self, name, **values):
        await self._commit(Upsert(Row(self._partition, name, values)))

    async def segment(self, first):
        return layout.segment_of(await self.get(layout.segment_key(first)))

    async def put_segment(self, first, kept, checks=None):
        checks = layout.checks_of([leaf_hash(one) for one in kept]) if checks is None else checks
        segment = layout.Segment(first, kept, checks)
        await self._commit(Upsert(layout.segment_row(self._partition, segment)))

    async def _commit(self, operation):
        await self._tables.commit(layout.TABLE, [operation])


@pytest.fixture
def rows(kept, filled):
    return Rows(kept, filled)


def flipped(data, at=0, bit=1):
    """The bytes with one bit changed."""
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


async def found(store, tenant, **asked):
    """What an audit finds: the kind, and from which entry up to which."""
    audit = await store.audit(tenant, **asked)
    return [(one.kind, one.first, one.end) for one in audit.findings]


@each_shape
async def test_a_sound_log_has_no_findings(store, filled):
    for from_size in (0, 1, 255, 256, 257, SIZE):
        edge = await store.edge_at(filled, from_size)
        roots = {from_size: edge.root()}
        audit = await store.audit(filled, from_size, roots)
        assert list(audit.findings) == []
        assert audit.edge == await store.head(filled)


async def test_an_empty_log_has_no_findings(store, tenant):
    assert await found(store, tenant, roots={0: Edge.empty().root()}) == []


@pytest.mark.parametrize("index", [0, 2, 3, 62, 63, 255, 256, SIZE - 1])
@pytest.mark.parametrize("from_size", [0, 256])
async def test_a_changed_entry_is_found(store, filled, rows, index, from_size):
    first = await first_of(store, filled, index)
    segment = await rows.segment(first)
    changed = list(segment.entries)
    changed[index - first] = entry(index, changed=True).payload
    await rows.put_segment(first, changed, segment.checks)
    expected = [("entry-changed", index, index + 1)] if index >= from_size else []
    assert await found(store, filled, from_size=from_size) == expected


async def first_of(store, tenant, index):
    """The first index of the segment that holds an entry."""
    return (await store._segment(key(tenant), index)).first


async def test_entries_in_another_order_are_found(store, filled, rows):
    segment = await rows.segment(3)
    one, two, *others = segment.entries
    await rows.put_segment(3, [two, one, *others], segment.checks)
    assert [one for one in await found(store, filled) if one[0].startswith("entr")] == [
        ("entry-changed", 3, 4),
        ("entry-changed", 4, 5),
    ]


@pytest.mark.parametrize("index", [3, 255, SIZE - 1])
async def test_a_changed_entry_with_a_check_to_fit_is_found_by_the_tree(store, filled, rows, index):
    first = await first_of(store, filled, index)
    changed = list((await rows.segment(first)).entries)
    changed[index - first] = entry(index, changed=True).payload
    await rows.put_segment(first, changed)
    # To the exact entry in the last block, to the block of 256 before it.
    block = (index, index + 1) if index >= 256 else (0, 256)
    assert await found(store, filled) == [("head-changed", *block)]


async def test_a_changed_check_is_told_from_a_changed_entry(store, filled, rows):
    segment = await rows.segment(3)
    await rows.put_segment(3, segment.entries, flipped(segment.checks, 17))
    assert await found(store, filled) == [("check-changed", 5, 6)]


async def test_a_missing_segment_is_found(store, filled, rows):
    await rows.delete(layout.segment_key(3))
    assert await found(store, filled) == [("entries-missing", 3, 63)]
    with pytest.raises(LogDamagedError):
        [one async for one in store.read(filled)]
    assert await holes_in(store, filled) == list(range(3, 63))


async def test_a_segment_that_cannot_be_read_is_missing(store, filled, rows):
    segment = await rows.get(layout.segment_key(3))
    await rows.change(segment.row, e0=segment.values["e0"][:-1])
    assert ("entries-missing", 3, 63) in await found(store, filled)
    assert await holes_in(store, filled) == list(range(3, 63))
    with pytest.raises(LogDamagedError):
        [one async for one in store.read(filled)]


async def holes_in(store, tenant):
    """The indices of the entries that reading back does not find, once all are there."""
    back = [one async for one in store.read_back(tenant)]
    assert [index for index, _ in back] == list(reversed(range(SIZE)))
    assert {index: entry(index).payload for index, payload in back if payload} == {
        index: payload for index, payload in back if payload
    }
    return sorted(index for index, payload in back if not payload)


async def test_an_entry_taken_from_a_segment_is_found(store, filled, rows):
    segment = await rows.segment(3)
    await rows.put_segment(3, segment.entries[:-1], segment.checks)
    assert ("entries-missing", 62, 63) in await found(store, filled)
    assert await holes_in(store, filled) == [62]


async def test_reading_back_goes_through_no_hole_that_a_head_makes_up(store, filled, rows):
    head = await rows.get(layout.HEAD)
    size = SIZE + (1 << 40)
    levels = [bytes((size >> 8 * level) % 256 * 32) for level in range(-(-size.bit_length() // 8))]
    await rows.change(
        head.row, size=size, **{f"edge{n}": one for n, one in enumerate(levels) if one}
    )
    with pytest.raises(LogDamagedError):
        [one async for one in store.read_back(filled)]


async def test_an_entry_put_into_a_segment_is_found(store, filled, rows):
    segment = await rows.segment(3)
    more = [*segment.entries, entry("more").payload]
    await rows.put_segment(3, more, segment.checks)
    assert await found(store, filled) == [("entries-inserted", 63, 64)]


async def test_a_segment_over_another_is_found(store, filled, rows):
    await rows.put_segment(10, [entry("more").payload])
    assert await found(store, filled) == [("entries-inserted", 10, 11)]


async def test_a_segment_behind_the_end_is_found(store, filled, rows):
    await rows.put_segment(SIZE + 5, [entry("more").payload])
    assert await found(store, filled) == [("entries-inserted", SIZE + 5, SIZE + 6)]


@pytest.mark.parametrize(
    ("column", "at", "expected"),
    [("edge0", 0, (256, 257)), ("edge0", 32 * 43, (299, 300)), ("edge1", 0, (0, 256))],
)
async def test_a_changed_head_is_found(store, filled, rows, column, at, expected):
    head = await rows.get(layout.HEAD)
    await rows.change(layout.HEAD, **{column: flipped(head.values[column], at)})
    assert await found(store, filled) == [("head-changed", *expected)]


@pytest.mark.parametrize(
    "values",
    [
        *({"size": SIZE - 1}, {"size": "x"}, {"size": True}, {"size": -1}, {"size": None}),
        *({"edge1": None}, {"edge0": b"x"}, {"edge0": "x"}),
    ],
)
async def test_a_head_that_contradicts_itself_is_found_and_not_appended_to(
    store, kept, filled, rows, values
):
    await rows.change(layout.HEAD, **values)
    assert "head-changed" in {kind for kind, *_ in await found(store, filled)}
    with pytest.raises(LogDamagedError):
        await LogStore(kept).append(filled, entries("more"))


@each_shape
async def test_a_head_that_claims_far_more_is_found_without_going_there(store, filled, rows):
    claimed = Edge.of(1 << 45, [*[b""] * 5, bytes(32 * 32)])
    kept = nodes.root_in(await rows.get(layout.HEAD))
    root = Root(kept.records, (1 << 45) - kept.count)
    await rows.put(layout.HEAD, **layout.head_row("", claimed, None, root.columns).values)
    assert await found(store, filled) == [
        ("index-changed", 0, SIZE),
        ("head-changed", SIZE, 1 << 45),
    ]
    await rows.put_segment((1 << 45) - 1, [entry("more").payload])
    assert ("head-changed", SIZE, 1 << 45) in await found(store, filled)


async def test_a_changed_tile_is_found(store, kept, tenant):
    # So many that the next block makes a tile of level 1 full; those before are nobody's.
    size = 256**2 - 256
    edge = Edge.of(size, [b"", os.urandom(255 * 32)])
    row = layout.head_row(key(tenant), edge, None, Root(below=size).columns)
    await kept.commit(layout.TABLE, [Insert(row)])
    await store.append(tenant, entries(*range(300)))
    rows = Rows(kept, tenant)
    asked = {"from_size": size, "roots": {size: edge.root()}}
    assert await found(store, tenant, **asked) == []
    name = layout.tile_key(1, 0)
    hashes = (await rows.get(name)).values["hashes"]
    await rows.change(name, hashes=flipped(hashes, 255 * 32))
    assert await found(store, tenant, **asked) == [("tile-changed", size, size + 256)]
    # What is before the start is held to the published root alone.
    await rows.change(name, hashes=flipped(hashes, 7))
    assert ("root-differs", 0, size) in await found(store, tenant, **asked)
    await rows.delete(name)
    with pytest.raises(LogDamagedError):
        await store.audit(tenant, **asked)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_any_single_bit_that_changes_is_found(kept, data):
    store, tenant = LogStore(kept, shape=data.draw(st.sampled_from(SHAPES))), new_tenant()
    for first, end in ((0, 3), (3, 63), (63, 270)):
        await store.append(tenant, entries(*range(first, end)))
    every = [row async for row in kept.scan(layout.TABLE, key(tenant))]
    # Half of them not of the index, of which there are most.
    some = [row for row in every if not row.row.startswith("i|")]
    row = data.draw(st.sampled_from(some) | st.sampled_from(every), label="row")
    column = data.draw(st.sampled_from(sorted(row.values)), label="column")
    value = row.values[column]
    is_number = isinstance(value, int)
    bit = data.draw(st.integers(0, 62 if is_number else 8 * len(value) - 1))
    changed = value ^ 1 << bit if is_number else flipped(value, bit // 8, 1 << bit % 8)
    assert list((await store.audit(tenant)).findings) == []
    changed_row = Row(row.partition, row.row, row.values | {column: changed})
    await kept.commit(layout.TABLE, [Upsert(changed_row)])
    assert list((await store.audit(tenant)).findings) != []


@each_shape
async def test_a_log_cut_back_with_its_head_is_found_by_a_published_root(
    store, kept, tenant, shape
):
    await store.append(tenant, entries(*range(63)))
    rows = Rows(kept, tenant)
    old = await rows.get(layout.HEAD)
    await store.append(tenant, entries(*range(63, SIZE)))
    roots = {size: (await store.edge_at(tenant, size)).root() for size in (63, SIZE)}
    await rows.put(layout.HEAD, **old.values)
    whole = await found(store, tenant, roots={63: roots[63]})
    assert [one for one in whole if one[0] == "entries-inserted"] == [
        ("entries-inserted", first, first + 1) for first in (63, 156, 249)
    ]
    # What went down in the index since is told of too.
    others = {one[0] for one in whole} - {"entries-inserted"}
    assert others == (set() if shape == SHAPES[0] else {"event-astray", "index-changed"})
    for first in (63, 156, 249):
        await rows.delete(layout.segment_key(first))
    assert ("root-differs", 63, SIZE) in await found(store, tenant, roots=roots)


async def test_a_history_written_anew_is_found_by_a_published_root(store, kept, filled, tenant):
    other = tenant + "x"
    for size in (3, 60, 237):
        start = (await store.head(other)).size
        changed = [
            entry(n, **({"changed": 1} if n == 5 else {})) for n in range(start, start + size)
        ]
        await store.append(other, changed)
    roots = {size: (await store.edge_at(filled, size)).root() for size in (3, 63, SIZE)}
    assert await found(store, other) == []
    assert await found(store, other, roots=roots) == [
        ("root-differs", 3, 63),
        ("root-differs", 3, SIZE),
    ]


class Records:
    """The index's records of a log, to be changed."""

    def __init__(self, tables, tenant, shape):
        self._tables = tables
        self._partition = key(tenant)
        self._shape = shape

    async def change(self, identifier, to):
        """Put what `to` makes of it in the place of the record of an event. Returns its row."""
        digest = self._shape.digest("tests", str(identifier))
        async for row in self._tables.scan(layout.TABLE, self._partition):
            for name, column in row.values.items():
                if not isinstance(column, bytes) or not name.startswith("r"):
                    continue
                records = list(nodes.records_of(column))
                if digest not in dict(records):
                    continue
                kept = [(one, at) if one != digest else to(one, at) for one, at in records]
                left = nodes.packed(one for one in kept if one)
                changed = Row(row.partition, row.row, row.values | {name: left})
                await self._tables.commit(layout.TABLE, [Upsert(changed)])
                return row.row
        raise AssertionError(f"no record of {identifier}")


@pytest.fixture
def records(kept, filled, shape):
    return Records(kept, filled, shape)


@each_shape
async def test_a_missing_record_is_found(store, filled, records):
    changed = {await records.change(7, lambda *_: None), await records.change(257, lambda *_: None)}
    whole = await found(store, filled)
    assert {one for one in whole if one[0] != "index-changed"} == {
        ("event-missing", 7, 8),
        ("event-missing", 257, 258),
    }
    # The counts do not fit any more: those of the head, or of the nodes above.
    above = {
        layout.HEAD if name == layout.HEAD or len(name) == 3 else name[:-1] for name in changed
    }
    assert len(whole) - 2 == len(above)
    assert ("event-missing", 257, 258) in await found(store, filled, from_size=256)


@each_shape
async def test_a_record_that_leads_elsewhere_is_found(store, filled, records):
    at = nodes.place(258, 156)
    await records.change(257, lambda digest, _: (digest, at))
    assert await found(store, filled) == [("event-missing", 257, 258), ("event-astray", 258, 259)]
    assert await found(store, filled, from_size=256) == [("event-missing", 257, 258)]


@each_shape
async def test_a_record_of_another_digest_is_found(store, filled, records):
    await records.change(257, lambda digest, at: (digest ^ 1, at))
    assert await found(store, filled) == [("event-astray", 257, 258), ("event-missing", 257, 258)]
    assert await found(store, filled, from_size=256) == [("event-missing", 257, 258)]


@each_shape
async def test_a_record_that_claims_an_event_is_found_and_keeps_no_event_out(
    store, kept, filled, records, shape
):
    digest = shape.digest("tests", "new")
    for far in (SIZE + 1, 1 << 56):
        await records.change(7, lambda *_, far=far: (digest, nodes.place(far, far)))
        assert ("event-astray", SIZE, SIZE) in await found(store, filled)
        await records.change("new", lambda *_: (shape.digest("tests", "7"), nodes.place(7, 3)))
    assert await found(store, filled) == []
    await records.change(7, lambda *_: (digest, nodes.place(5, 3)))
    fresh = LogStore(kept, shape=shape)
    assert await fresh.append(filled, entries("new")) == [SIZE]
    assert await fresh.append(filled, entries("new")) == [SIZE]
    assert await fresh.find(filled, "tests", "new") == SIZE


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("i|0", {"below": -1}), ("i|0", {"below": "x"}), ("i|0", {"rx": b""})),
        *(("i|0", {"r0_0": b"x"}), ("i|0", {"r0_0": "x"}), ("i|0", {"r0_0": 1})),
        *(("i|0", {"r0_0": b""}), ("i|0123", {}), ("i|0123", {"below": 0})),
        *(("i|", {}), ("i|0A", {"below": 0}), ("i|x", {}), (f"i|{'0' * 17}", {})),
    ],
)
async def test_a_row_of_the_index_that_cannot_be_read_is_found(
    store, kept, filled, rows, name, values
):
    await rows.put(name, **values)
    whole = await found(store, filled)
    assert ("index-changed", 0, SIZE) in whole
    assert {kind for kind, *_ in whole} <= {"index-changed", "event-missing"}
    assert len([one async for one in store.read(filled)]) == SIZE


@pytest.mark.parametrize("below", ["x", -5, True, 0.5])
async def test_a_count_that_cannot_be_read_loses_nothing(kept, tenant, below):
    shape = Shape(recent=40, full=10)
    await LogStore(kept, shape=shape).append(tenant, entries(*range(SIZE)))
    rows = Rows(kept, tenant)
    for digit in nodes.DIGITS:
        await rows.change(f"i|{digit}", below=below)
    store = LogStore(kept, shape=shape)
    assert await found(store, tenant, from_size=256) == []
    assert set(await found(store, tenant)) == {("index-changed", 0, SIZE)}
    assert await store.append(tenant, entries(*range(SIZE))) == list(range(SIZE))
    more = [f"more-{number}" for number in range(500)]
    assert await store.append(tenant, entries(*more)) == list(range(SIZE, SIZE + 500))
    fresh = LogStore(kept, shape=shape)
    assert await fresh.append(tenant, entries(*range(SIZE), *more)) == list(range(SIZE + 500))
    assert {kind for kind, *_ in await found(store, tenant)} == {"index-changed"}


@pytest.mark.parametrize("values", [{"recent": b"x"}, {"below": "x"}])
async def test_a_root_that_cannot_be_read_blames_no_entry_of_the_new_part(kept, tenant, values):
    store = LogStore(kept, shape=Shape(recent=40))
    await store.append(tenant, entries(*range(SIZE)))
    await Rows(kept, tenant).change(layout.HEAD, **values)
    assert await found(store, tenant, from_size=256) == [("index-changed", 256, SIZE)]


@pytest.mark.parametrize("below", [1, "x"])
async def test_nothing_is_looked_for_below_the_deepest_node(kept, tenant, below):
    shape = Shape(recent=40)
    store = LogStore(kept, shape=shape)
    await store.append(tenant, entries(*range(SIZE)))
    rows = Rows(kept, tenant)
    digits = nodes.digits_of(shape.digest("tests", "new"))
    await rows.change(f"i|{digits[0]}", below=1)
    for depth in range(2, nodes.DEEPEST):
        await rows.put(f"i|{digits[:depth]}", below=1)
    await rows.put(f"i|{digits}", below=below)
    fresh = LogStore(kept, shape=shape)
    assert await fresh.append(tenant, entries("new")) == [SIZE]
    assert ("index-changed", 0, SIZE + 1) in await found(store, tenant)


async def test_a_run_under_the_name_of_one_to_come_is_found(kept, tenant):
    shape = Shape(recent=40)
    store = LogStore(kept, shape=shape)
    await store.append(tenant, entries(*range(SIZE)))
    rows = Rows(kept, tenant)
    below = (await rows.get(layout.HEAD)).values["below"]
    row = await rows.get("i|0")
    name = next(one for one in row.values if one.startswith("r"))
    await rows.change("i|0", **{name: None, f"r{below:x}_0": row.values[name]})
    assert await found(store, tenant) == [("index-changed", 0, SIZE)]


async def test_a_run_that_cannot_be_read_loses_itself_alone(kept, tenant):
    shape = Shape(recent=40, full=60)
    await LogStore(kept, shape=shape).append(tenant, entries(*range(SIZE)))
    rows = Rows(kept, tenant)
    row = await rows.get("i|0")
    run = next(name for name in row.values if name.startswith("r"))
    lost = [at >> 7 for _, at in nodes.records_of(row.values[run])]
    await rows.change("i|0", **{run: row.values[run][1:]})
    store = LogStore(kept, shape=shape)
    expected = {("index-changed", 0, SIZE), *(("event-missing", one, one + 1) for one in lost)}
    assert set(await found(store, tenant)) == expected
    # What is left still tells, and the log goes on.
    left = [number for number in range(SIZE) if number not in lost]
    assert await store.append(tenant, entries(*left)) == left
    more = [f"more-{number}" for number in range(1500)]
    assert await store.append(tenant, entries(*more)) == [*range(SIZE, SIZE + 1500)]
    # That node was emptied meanwhile, and the counts tell of it.
    assert "below" in (await rows.get("i|0")).values
    told = {(kind, first) for kind, first, _ in await found(store, tenant)}
    assert told == {(kind, first) for kind, first, _ in expected}


@pytest.mark.parametrize("size", [-1, 1])
async def test_a_count_of_the_index_that_is_wrong_is_found(kept, tenant, size):
    shape = Shape(recent=40, full=10)
    store = LogStore(kept, shape=shape)
    await store.append(tenant, entries(*range(SIZE)))
    rows = Rows(kept, tenant)
    below = (await rows.get("i|0")).values["below"]
    await rows.change("i|0", below=below + size)
    assert await found(store, tenant) == [("index-changed", 0, SIZE)] * 2
    await rows.change("i|0", below=below)
    head = await rows.get(layout.HEAD)
    await rows.change(layout.HEAD, below=head.values["below"] + size)
    assert set(await found(store, tenant)) == {("index-changed", 0, SIZE)}
    with pytest.raises(LogDamagedError):
        await LogStore(kept, shape=shape).append(tenant, entries("new"))
    # What is read needs no index.
    assert len([one async for one in store.read(tenant)]) == SIZE


async def test_a_record_in_a_node_where_nobody_looks_for_it_is_found(kept, tenant):
    shape = Shape(recent=40)
    store = LogStore(kept, shape=shape)
    await store.append(tenant, entries(*range(SIZE)))
    rows = Rows(kept, tenant)
    giving, getting = await rows.get("i|0"), await rows.get("i|1")
    columns = {name: value for name, value in giving.values.items() if name.startswith("r")}
    name, column = next(iter(columns.items()))
    moved = column[:16]
    (_, at), *_ = nodes.records_of(moved)
    index, _ = nodes.read_place(at)
    await rows.change("i|0", **{name: column[16:]})
    other = next(one for one in getting.values if one.startswith("r"))
    await rows.change("i|1", **{other: getting.values[other] + moved})
    # The counts fit all the same.
    assert await found(store, tenant) == [
        ("event-astray", index, index + 1),
        ("event-missing", index, index + 1),
    ]


@each_shape
async def test_a_node_that_hangs_in_the_air_is_found(store, filled, rows):
    await rows.put("i|0123", r0_0=nodes.packed([(0x0123 << 48, nodes.place(7, 3))]))
    whole = await found(store, filled)
    assert ("event-astray", 7, 8) in whole
    assert ("index-changed", 0, SIZE) in whole


@pytest.mark.parametrize("name", ["s|", "s|zz", f"{layout.segment_key(5)}~", "s|FFFFFFFFFFFE"])
async def test_a_row_that_is_none_of_the_log_is_found_and_in_nobodys_way(store, filled, rows, name):
    await rows.put(name, checks=b"", e0=b"")
    assert [kind for kind, *_ in await found(store, filled)] == ["row-astray"]
    assert len([one async for one in store.read(filled)]) == SIZE
    assert await holes_in(store, filled) == []
    assert len(await store.bundle(filled, 0)) == 256


async def test_a_note_that_nobody_signed_is_no_entry_whatever_the_tree_has(kept, tenant):
    def leaf(_tenant, _index, entry):
        if is_redaction(entry):
            raise NoteError("not signed")
        return leaf_hash(entry)

    store = LogStore(kept, leaf=leaf)
    await store.append(tenant, [*entries(0), NewEntry("tests", "1", b"a note"), *entries(2)])
    assert await found(store, tenant) == [("entry-changed", 1, 2)]


async def test_entries_are_looked_at_where_the_head_does_not_say_how_many_there_are(
    store, filled, rows
):
    segment = await rows.segment(3)
    changed = [entry(3, changed=True).payload, *segment.entries[1:]]
    await rows.put_segment(3, changed, segment.checks)
    for values in ({"size": "x"}, {"size": 1 << 60}):
        await rows.change(layout.HEAD, **values)
        assert sorted(await found(store, filled)) == [
            ("entry-changed", 3, 4),
            ("head-changed", 0, SIZE),
        ]
    await rows.delete(layout.HEAD)
    assert ("head-changed", 0, SIZE) in await found(store, filled)


async def test_a_segment_where_the_next_one_would_go_stops_the_log(store, filled, rows):
    await rows.put_segment(SIZE, [entry("more").payload])
    with pytest.raises(LogDamagedError):
        await store.append(filled, entries("new"))
    assert (await store.head(filled)).size == SIZE


async def test_what_an_entry_is_changed_to_is_not_answered_as_the_same_event(store, filled, rows):
    segment = await rows.segment(0)
    changed = [json.dumps({"source": "tests", "id": "other"}).encode(), *segment.entries[1:]]
    await rows.put_segment(0, changed, segment.checks)
    assert await store.append(filled, entries(0)) == [SIZE]
