"""The lines of an export, written and read."""

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.merkle import MerkleError, Tile, leaf_hash
from shared.merkle.export import (
    End,
    ExportedEntry,
    Hashes,
    Header,
    Missing,
    Unsigned,
    end_line,
    entry_line,
    header_line,
    missing_line,
    parse_line,
    tile_line,
    tiles_before,
    unsigned_line,
)
from shared.merkle.export_hashing import leaves_of

CHECK = bytes(range(8))


@given(st.integers(0, 1 << 62), st.binary(max_size=300))
def test_any_bytes_come_back(index: int, entry: bytes):
    line = entry_line(index, entry, CHECK)
    assert line.count(b"\n") == 1
    assert json.loads(line)["index"] == index
    assert parse_line(line) == ExportedEntry(index, entry, CHECK)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.integers(0, 1 << 62), st.dictionaries(st.text(), VALUES))
def test_an_entry_stands_there_as_it_is(index: int, said: dict):
    try:
        entry = json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    line = entry_line(index, entry, leaf_hash(entry))
    assert entry in line
    assert parse_line(line) == ExportedEntry(index, entry, leaf_hash(entry)[:8])
    # Another program may have written the line anew.
    assert parse_line(json.dumps(json.loads(line)).encode()) == parse_line(line)
    assert leaves_of(line, 0, len(line), index, 1) == ([leaf_hash(entry)], len(line))


def test_a_redaction_is_readable():
    line = entry_line(3, "origin\nredaction/v1\n\n— ä\n".encode(), CHECK)
    assert json.loads(line)["entry"] == "origin\nredaction/v1\n\n— ä\n"


def test_the_other_lines():
    hashes = sha256(b"").digest() * 2
    assert parse_line(header_line("note\n", "origin", 5)) == Header("note\n", "origin", 5)
    assert parse_line(tile_line(Tile(1, 0, 2), hashes)) == Hashes(Tile(1, 0, 2), hashes)
    assert parse_line(end_line(5)) == End(5)
    assert parse_line(missing_line(3, 5)) == Missing(3, 5)
    assert Missing(3, 5).count == 3
    assert parse_line(unsigned_line(5)) == Unsigned(5)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"entry"',
        b"{}",
        b'{"other":1}',
        b"\xff",
        b'{"end":-1}',
        b'{"end":true}',
        b'{"end":"1"}',
        b'{"end":1.0}',
        b'{"entry":{}}',
        b'{"index":0,"entry":7}',
        b'{"index":0,"entry":null}',
        b'{"index":-1,"entry":{}}',
        b'{"index":0,"entry":{},"check":"zz"}',
        b'{"index":0,"entry":{},"check":7}',
        b'{"index":0,"bytes":"?"}',
        b'{"index":0,"entry":{"a":1},"entry":{"a":1}}',
        b'{"index":0,"index":0,"entry":{"a":1}}',
        b'{"index":0, "entry":{"a":1,"a":2}}',
        b'{"index":0,"bytes":7}',
        b'{"tile":"tile/1/000.p/1","hashes":"00"}',
        b'{"tile":"tile/1/0","hashes":""}',
        b'{"tile":7,"hashes":""}',
        b'{"tile":"tile/1/000.p/1"}',
        b'{"checkpoint":1,"origin":"o","size":0}',
        b'{"checkpoint":"","origin":"o"}',
        b"[" * 100_000,
        b'{"index":0,"entry":"\\ud800"}',
    ],
)
def test_any_other_line_is_refused(line: bytes):
    with pytest.raises(MerkleError):
        parse_line(line)


def test_the_quick_reading_ends_where_it_does_not_understand():
    entries = [b'{"a":%d}' % number for number in range(300)]
    lines = [entry_line(number, one, leaf_hash(one)) for number, one in enumerate(entries)]
    data = b"".join(lines)
    begin = len(b"".join(lines[:100]))
    leaves, at = leaves_of(data, begin, len(data), 100, 156)
    assert leaves == [leaf_hash(one) for one in entries[100:256]]
    assert at == len(b"".join(lines[:256]))
    rest = leaves_of(data, at, len(data), 256, 256)
    assert rest == ([leaf_hash(one) for one in entries[256:]], len(data))
    assert leaves_of(data, begin, at, 100, 300) == (leaves, at)
    leaves = [leaf_hash(one) for one in entries]
    redacted = lines[0] + entry_line(1, b"note", CHECK)
    assert leaves_of(redacted, 0, len(redacted), 0, 5) == (leaves[:1], len(lines[0]))
    others = [b"{}\n", end_line(1), tile_line(Tile(1, 0, 1), bytes(32)), b"\n"]
    # As long as a line of entry 1, with something else around the entry.
    others.append(lines[1].replace(b'"index":1', b'"index":2'))
    others.append(lines[1].replace(b'{"index"', b'{"indeX"'))
    others.append(lines[1][:-29] + b',"entry":{"actor":"nobody"}}\n')
    others.append(lines[1][:-29] + b',"check":"","entry":"abcde"}\n')
    others.append(lines[1][:-1])
    for other in others:
        assert leaves_of(lines[0] + other, 0, len(lines[0] + other), 0, 5)[0] == leaves[:1]


@pytest.mark.parametrize("place", [0, 1, 99, 100, 255])
@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b'"check":"', b'"entry":"'),
        (b'{"index"', b'{"indeX"'),
        (b'"}\n', b'" \n'),
        (b'"}\n', b'}"\n'),
        (b'0"}\n', b'G"}\n'),
        (b'0"}\n', b'""}\n'),
    ],
)
def test_the_quick_reading_ends_at_the_first_line_that_is_framed_otherwise(
    place: int, written: bytes, instead: bytes
):
    entries = [b'{"a":%d}' % number for number in range(256)]
    lines = [entry_line(1000 + number, one, bytes(8)) for number, one in enumerate(entries)]
    assert written in lines[place]
    lines[place] = lines[place].replace(written, instead)
    data = b"".join(lines)
    leaves, at = leaves_of(data, 0, len(data), 1000, 256)
    assert leaves == [leaf_hash(one) for one in entries[:place]]
    assert at == len(b"".join(lines[:place]))


@pytest.mark.parametrize("first", [0, 5, 9, 90, 99, 950, 99_990])
def test_the_quick_reading_follows_the_length_of_the_indices(first: int):
    entries = [b'{"a":%d}' % number for number in range(256)]
    lines = [entry_line(first + n, one, leaf_hash(one)) for n, one in enumerate(entries)]
    data = b"".join(lines)
    leaves, at = list[bytes](), 0
    while at < len(data):
        more, at = leaves_of(data, at, len(data), first + len(leaves), 256 - len(leaves))
        assert more
        leaves += more
    assert leaves == [leaf_hash(one) for one in entries]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, {}),
        (1, {0: [Tile(0, 0, 1)]}),
        (256, {0: [Tile(1, 0, 1)]}),
        (257, {0: [Tile(1, 0, 1)], 256: [Tile(0, 1, 1)]}),
        (65_536, {0: [Tile(1, 0)]}),
        (65_537, {0: [Tile(1, 0)], 65_536: [Tile(0, 256, 1)]}),
        (66_000, {0: [Tile(1, 0)], 65_536: [Tile(1, 1, 1)], 65_792: [Tile(0, 257, 208)]}),
    ],
)
def test_tiles_stand_before_their_entries(size: int, expected: dict[int, list[Tile]]):
    found = {index: tiles for index in range(size) if (tiles := tiles_before(index, size))}
    assert found == expected
