"""Paths of tiles and bundles, and what a bundle holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.merkle import (
    MAX_ENTRY,
    ProofError,
    Tile,
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_entries_path,
    parse_tile_path,
)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1, 1), "tile/0/001.p/1"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(3, 1000), "tile/3/x001/000"),
        # The example of C2SP tlog-tiles.
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(0, 1_234_067, 255), "tile/0/x001/x234/067.p/255"),
        (Tile(7, 0, 127), "tile/7/000.p/127"),
    ],
)
def test_paths(tile: Tile, path: str):
    assert tile.path == path
    assert parse_tile_path(path) == tile
    if tile.level == 0:
        entries = path.replace("tile/0", "tile/entries")
        assert entries_path(tile.index, tile.width) == entries
        assert parse_entries_path(entries) == (tile.index, tile.width)


@given(st.integers(0, 6), st.integers(0, 1 << 54), st.integers(1, 256))
def test_a_path_leads_back_to_its_tile(level: int, index: int, width: int):
    tile = Tile(level, index >> 8 * level, width)
    assert parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/8/000",
        "tile/63/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x1/002",
        "tile/0/-01",
        "tile/0/+01",
        "tile/0/0 1",
        "tile/0/\u0661\u0662\u0663",
        "tile/\u0661/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1000",
        "tile/0/000.p/-1",
        "tile/0/000.p/1/2",
        "tile/0/000\n",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x001/x001/x001/x001/x001/x001/001",
        "tile/7/001",
        "tile/7/000",
        "tile/entries/000x",
        "tile/data/000",
        "tile/0/../0/000",
        "TILE/0/000",
    ],
)
def test_any_other_path_is_refused(path: str):
    with pytest.raises(ProofError):
        parse_tile_path(path)
    with pytest.raises(ProofError):
        parse_entries_path(path.replace("tile/0/", "tile/entries/"))


def test_entries_and_tiles_are_told_apart():
    with pytest.raises(ProofError):
        parse_tile_path("tile/entries/000")
    with pytest.raises(ProofError):
        parse_entries_path("tile/0/000")


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-1, 0, 1), (8, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 1 << 55, 1), (7, 0, 128)],
)
def test_a_tile_that_no_tree_has_is_refused(level: int, index: int, width: int):
    with pytest.raises(ProofError):
        Tile(level, index, width)


@given(st.lists(st.binary(max_size=400), max_size=256))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]):
    assert decode_bundle(encode_bundle(entries)) == entries


def test_a_bundle_is_written_as_c2sp_says():
    assert encode_bundle([b"", b"abc"]) == b"\x00\x00\x00\x03abc"
    assert decode_bundle(encode_bundle([b"x" * MAX_ENTRY])) == [b"x" * MAX_ENTRY]
    with pytest.raises(ProofError, match="at most 65535"):
        encode_bundle([b"x" * (MAX_ENTRY + 1)])


@pytest.mark.parametrize("cut", [b"\x00", b"\x00\x01", b"\x00\x00\x00", b"\x00\x02a", b"\xff\xffa"])
def test_a_bundle_that_is_cut_off_is_refused(cut: bytes):
    with pytest.raises(ProofError, match="cut off"):
        decode_bundle(cut)
