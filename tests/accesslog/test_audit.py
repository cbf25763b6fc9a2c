"""What somebody changes past the application, straight in the tables, is found and located."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.accesslog import LogDamagedError, LogStore, NewEntry
from shared.accesslog.storage import layout
from shared.ids import key
from shared.merkle import Edge, NoteError, is_redaction, leaf_hash
from shared.ports import Delete, Insert, Replace, Row, Upsert
from tests.accesslog.logs import SECRET, audited, entries, entry, new_tenant, row_of

# Segments of 3, 60 and 237 (three commits), so that a block of 256 ends inside one.
SIZES = (3, 60, 237)
SIZE = sum(SIZES)


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
    audit = await audited(store, tenant, **asked)
    return [(one.kind, one.first, one.end) for one in audit.findings]


async def test_a_sound_log_has_no_findings(store, filled):
    for from_size in (0, 1, 255, 256, 257, SIZE):
        edge = await store.edge_at(filled, from_size)
        roots = {from_size: edge.root()}
        audit = await audited(store, filled, from_size, roots)
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
    return (await store._segments(tenant).with_entry(index)).first


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
        await LogStore(kept, SECRET).append(filled, entries("more"))


async def test_a_head_that_claims_far_more_is_found_without_going_there(store, filled, rows):
    claimed = Edge.of(1 << 45, [*[b""] * 5, bytes(32 * 32)])
    await rows.put(layout.HEAD, **layout.head_row("", claimed, None).values)
    assert await found(store, filled) == [("head-changed", SIZE, 1 << 45)]
    await rows.put_segment((1 << 45) - 1, [entry("more").payload])
    assert ("head-changed", SIZE, 1 << 45) in await found(store, filled)


async def test_a_changed_tile_is_found(store, kept, tenant):
    # So many that the next block makes a tile of level 1 full; those before are nobody's.
    size = 256**2 - 256
    edge = Edge.of(size, [b"", os.urandom(255 * 32)])
    await kept.commit(layout.TABLE, [Insert(layout.head_row(key(tenant), edge, None))])
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
        await audited(store, tenant, **asked)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_any_single_bit_that_changes_is_found(kept, data):
    store, tenant = LogStore(kept, SECRET), new_tenant()
    for first, end in ((0, 3), (3, 63), (63, 270)):
        await store.append(tenant, entries(*range(first, end)))
    every = [row async for row in kept.scan(layout.TABLE, key(tenant))]
    # Half of them not a row of an event, of which there are most.
    some = [row for row in every if not row.row.startswith(layout.EVENTS)]
    row = data.draw(st.sampled_from(some) | st.sampled_from(every), label="row")
    column = data.draw(st.sampled_from(sorted(row.values)), label="column")
    value = row.values[column]
    is_number = isinstance(value, int)
    bit = data.draw(st.integers(0, 62 if is_number else 8 * len(value) - 1))
    changed = value ^ 1 << bit if is_number else flipped(value, bit // 8, 1 << bit % 8)
    assert list((await audited(store, tenant)).findings) == []
    changed_row = Row(row.partition, row.row, row.values | {column: changed})
    await kept.commit(layout.TABLE, [Upsert(changed_row)])
    assert list((await audited(store, tenant)).findings) != []


async def test_a_log_cut_back_with_its_head_is_found_by_a_published_root(store, filled, rows):
    roots = {size: (await store.edge_at(filled, size)).root() for size in (63, SIZE)}
    old = layout.head_row("", await store.edge_at(filled, 63), None)
    await rows.put(layout.HEAD, **old.values)
    whole = await found(store, filled, roots={63: roots[63]})
    # The rows of the events that were cut off lead to no entry.
    astray = [("event-astray", 63, 63)] * (SIZE - 63)
    cut = [("entries-inserted", first, first + 1) for first in (63, 156, 249)]
    assert sorted(whole) == sorted(astray + cut)
    for first in (63, 156, 249):
        await rows.delete(layout.segment_key(first))
    assert ("root-differs", 63, SIZE) in await found(store, filled, roots=roots)


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


async def test_a_missing_row_of_an_event_is_found(store, filled, rows):
    await rows.delete(await row_of(7, filled))
    assert await found(store, filled) == [("event-missing", 7, 8)]
    await rows.delete(await row_of(257, filled))
    assert await found(store, filled, from_size=256) == [("event-missing", 257, 258)]


async def test_a_row_of_an_event_that_leads_elsewhere_is_found(store, filled, rows):
    name = await row_of(257, filled)
    other = await rows.get(await row_of(258, filled))
    await rows.change(name, at=other.values["at"])
    assert await found(store, filled) == [("event-missing", 257, 258), ("event-astray", 258, 259)]
    assert await found(store, filled, from_size=256) == [("event-missing", 257, 258)]


async def test_a_row_of_an_event_under_another_key_is_found(store, filled, rows):
    name = await row_of(7, filled)
    row = await rows.get(name)
    await rows.delete(name)
    await rows.put(f"{name[:4]}!{name[4:]}", **row.values)
    assert await found(store, filled) == [("event-astray", 7, 8), ("event-missing", 7, 8)]


async def test_a_row_of_an_event_under_another_secret_is_found(store, filled, rows):
    row = await rows.get(await row_of(7, filled))
    digest = layout.event_digest(b"guessed", key(filled), "tests", "7")
    await rows.put(layout.event_key(digest), **row.values)
    assert await found(store, filled) == [("event-astray", 7, 8)]


@pytest.mark.parametrize("values", [{}, {"at": "x"}, {"at": -1}, {"at": True}, {"at": 0.5}])
async def test_a_row_of_an_event_that_cannot_be_read_is_found(store, filled, rows, values):
    await rows.put(await row_of(7, filled), **values)
    assert await found(store, filled) == [
        ("event-missing", 7, 8),
        ("event-astray", SIZE, SIZE),
    ]


async def test_a_row_that_claims_an_event_is_found_and_keeps_no_event_out(store, filled, rows):
    """Even of somebody who knows the secret."""
    for far in (SIZE + 1, 1 << 50):
        await rows.put(await row_of("new", filled), at=far << 7)
        assert await found(store, filled) == [("event-astray", SIZE, SIZE)]
    assert await store.find(filled, "tests", "new") is None
    assert await store.append(filled, entries("new", "newer")) == [SIZE, SIZE + 1]
    assert await store.append(filled, entries("new")) == [SIZE]
    assert await store.find(filled, "tests", "new") == SIZE
    assert await found(store, filled) == []


async def test_an_event_whose_row_was_changed_is_appended_again_rather_than_lost(
    store, filled, rows
):
    other = await rows.get(await row_of(258, filled))
    await rows.change(await row_of(257, filled), at=other.values["at"])
    assert await store.find(filled, "tests", "257") is None
    assert await store.append(filled, entries(257)) == [SIZE]
    # The change is not covered up.
    assert await found(store, filled) == [("event-missing", 257, 258)]


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

    store = LogStore(kept, SECRET, leaf=leaf)
    await store.append(tenant, [*entries(0), NewEntry("tests", "1", b"a note"), *entries(2)])
    # The row of its event leads to no readable entry, either.
    assert await found(store, tenant) == [("entry-changed", 1, 2), ("event-astray", 1, 2)]


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
