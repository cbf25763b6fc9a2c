"""Trees of any shape against the definition, and the published vectors of RFC 6962."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.merkle import (
    EMPTY_ROOT,
    Edge,
    ProofError,
    Tile,
    consistency_proof,
    consistency_tiles,
    inclusion_proof,
    inclusion_tiles,
    leaf_hash,
    root,
    root_of,
    root_tiles,
    verify_consistency,
    verify_inclusion,
)
from tests.merkle import vectors
from tests.merkle.logs import tiles_of

LEAVES = [sha256(number.to_bytes(4, "big")).digest() for number in range(70_000)]


def test_the_hashes_are_those_of_rfc_6962():
    hashes = [leaf_hash(entry) for entry in vectors.ENTRIES]
    assert EMPTY_ROOT == vectors.EMPTY_ROOT
    assert leaf_hash(b"") == vectors.LEAF_OF_NOTHING
    for size, expected in enumerate(vectors.ROOTS, start=1):
        assert root_of(hashes[:size]) == expected
        assert Edge.empty().append(hashes[:size])[0].root() == expected


@pytest.mark.parametrize(("index", "size", "proof"), vectors.INCLUSION)
def test_inclusion_proofs_are_those_of_rfc_6962(index: int, size: int, proof: list[bytes]):
    hashes = [leaf_hash(entry) for entry in vectors.ENTRIES][:size]
    assert inclusion_proof(index, size, tiles_of(hashes)) == proof
    verify_inclusion(index, size, hashes[index], proof, vectors.ROOTS[size - 1])


@pytest.mark.parametrize(("old", "new", "proof"), vectors.CONSISTENCY)
def test_consistency_proofs_are_those_of_rfc_6962(old: int, new: int, proof: list[bytes]):
    hashes = [leaf_hash(entry) for entry in vectors.ENTRIES]
    assert consistency_proof(old, new, tiles_of(hashes[:new])) == proof
    verify_consistency(old, new, proof, vectors.ROOTS[old - 1], vectors.ROOTS[new - 1])


@given(st.lists(st.integers(0, 700), max_size=8))
def test_any_appends_make_the_tree_of_the_definition(batches: list[int]):
    edge, size, full = Edge.empty(), 0, {}
    for count in batches:
        edge, completed = edge.append(LEAVES[size : size + count])
        size += count
        full |= dict(completed)
        assert edge.size == size
        assert edge.root() == root_of(LEAVES[:size])
        assert Edge.of(size, edge.levels) == edge
    assert full | edge.tiles() == tiles_of(LEAVES[:size])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 5000])
def test_roots_of_full_tiles_can_be_appended_in_their_stead(size: int):
    blocks = size // 256
    roots = [root_of(LEAVES[block * 256 : block * 256 + 256]) for block in range(blocks)]
    edge, _ = Edge.empty().append(roots, level=1)
    edge, _ = edge.append(LEAVES[blocks * 256 : size])
    assert edge == Edge.empty().append(LEAVES[:size])[0]
    if size % 256:
        with pytest.raises(ProofError, match="not full"):
            edge.append(roots, level=1)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 69_999])
def test_trees_of_three_levels(size: int):
    edge, full = Edge.empty().append(LEAVES[:size])
    expected = root_of(LEAVES[:size])
    assert edge.root() == expected
    tiles = dict(full) | edge.tiles()
    assert root(size, tiles) == expected
    for index in (0, 255, 256, size // 2, size - 1):
        proof = inclusion_proof(index, size, tiles)
        verify_inclusion(index, size, LEAVES[index], proof, expected)


@given(st.data(), st.integers(1, 1500))
def test_inclusion_proofs_from_tiles_verify(data: st.DataObject, size: int):
    index = data.draw(st.integers(0, size - 1))
    tiles = tiles_of(LEAVES[:size])
    needed = {tile: tiles[tile] for tile in inclusion_tiles(index, size)}
    proof = inclusion_proof(index, size, needed)
    verify_inclusion(index, size, LEAVES[index], proof, root_of(LEAVES[:size]))


@given(st.data(), st.integers(0, 1500))
def test_consistency_proofs_and_roots_from_tiles_verify(data: st.DataObject, new: int):
    old = data.draw(st.integers(0, new))
    tiles = tiles_of(LEAVES[:new])
    needed = {tile: tiles[tile] for tile in consistency_tiles(old, new)}
    proof = consistency_proof(old, new, needed)
    expected = root_of(LEAVES[:new])
    verify_consistency(old, new, proof, root_of(LEAVES[:old]), expected)
    assert root(new, {tile: tiles[tile] for tile in root_tiles(new)}) == expected


def _flip(value: bytes, bit: int) -> bytes:
    bit %= len(value) * 8
    return value[: bit // 8] + bytes([value[bit // 8] ^ 1 << bit % 8]) + value[bit // 8 + 1 :]


@given(st.data(), st.integers(1, 600), st.integers(min_value=0))
def test_a_flipped_bit_breaks_an_inclusion_proof(data: st.DataObject, size: int, bit: int):
    index = data.draw(st.integers(0, size - 1))
    tiles = tiles_of(LEAVES[:size])
    proof, expected = inclusion_proof(index, size, tiles), root_of(LEAVES[:size])
    parts = [LEAVES[index], expected, *proof]
    broken = data.draw(st.integers(0, len(parts) - 1))
    parts[broken] = _flip(parts[broken], bit)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@given(st.data(), st.integers(1, 600), st.integers(min_value=0))
def test_a_flipped_bit_breaks_a_consistency_proof(data: st.DataObject, new: int, bit: int):
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, tiles_of(LEAVES[:new]))
    parts = [root_of(LEAVES[:old]), root_of(LEAVES[:new]), *proof]
    broken = data.draw(st.integers(0, len(parts) - 1))
    parts[broken] = _flip(parts[broken], bit)
    with pytest.raises(ProofError):
        verify_consistency(old, new, parts[2:], parts[0], parts[1])


@given(st.data(), st.integers(1, 1500), st.integers(min_value=0))
def test_a_flipped_bit_in_a_tile_changes_the_root(data: st.DataObject, size: int, bit: int):
    tiles = tiles_of(LEAVES[:size])
    needed = {tile: tiles[tile] for tile in root_tiles(size)}
    broken = data.draw(st.sampled_from(sorted(needed)))
    needed[broken] = _flip(needed[broken], bit)
    assert root(size, needed) != root_of(LEAVES[:size])


@given(st.integers(1, 300), st.data())
def test_a_proof_that_is_longer_or_shorter_is_refused(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    tiles, expected = tiles_of(LEAVES[:size]), root_of(LEAVES[:size])
    inclusion = inclusion_proof(index, size, tiles)
    consistency = consistency_proof(old, size, tiles)
    for wrong in (
        inclusion[:-1],
        inclusion[1:],
        [*inclusion, EMPTY_ROOT],
        [EMPTY_ROOT, *inclusion],
    ):
        if wrong != inclusion:
            with pytest.raises(ProofError):
                verify_inclusion(index, size, LEAVES[index], wrong, expected)
    for wrong in (consistency[:-1], consistency[1:], [*consistency, EMPTY_ROOT]):
        if wrong != consistency:
            with pytest.raises(ProofError):
                verify_consistency(old, size, wrong, root_of(LEAVES[:old]), expected)


@settings(max_examples=300)
@given(st.data(), st.integers(1, 1 << 40))
def test_a_proof_reads_few_tiles_whatever_the_size(data: st.DataObject, size: int):
    index = data.draw(st.integers(0, size - 1))
    levels = -(-(size - 1).bit_length() // 8)  # ceil(log256 size)
    on_the_edge = {
        Tile(level, size >> 8 * level + 8, width)
        for level in range(6)
        if (width := (size >> 8 * level) % 256)
    }
    tiles = inclusion_tiles(index, size)
    assert len([tile for tile in tiles if tile not in on_the_edge]) <= levels
    assert len(tiles) <= 2 * levels


@pytest.mark.parametrize(
    "refused",
    [
        lambda: verify_inclusion(0, 0, EMPTY_ROOT, [], EMPTY_ROOT),
        lambda: verify_inclusion(-1, 1, EMPTY_ROOT, [], EMPTY_ROOT),
        lambda: verify_inclusion(0, 1, b"short", [], b"short"),
        lambda: verify_consistency(2, 1, [], EMPTY_ROOT, EMPTY_ROOT),
        lambda: verify_consistency(-1, 1, [], EMPTY_ROOT, EMPTY_ROOT),
        lambda: verify_consistency(0, 1, [EMPTY_ROOT], EMPTY_ROOT, LEAVES[0]),
        lambda: verify_consistency(0, 1, [], LEAVES[0], LEAVES[0]),
        lambda: verify_consistency(0, 0, [], LEAVES[0], LEAVES[0]),
        lambda: verify_consistency(1, 2, [], LEAVES[0], LEAVES[1]),
        lambda: inclusion_tiles(1, 1),
        lambda: inclusion_tiles(0, 1 << 63),
        lambda: consistency_tiles(2, 1),
        lambda: root_tiles(-1),
        lambda: root(1, {}),
        lambda: root(1, {Tile(0, 0, 1): b"short"}),
        lambda: Edge.empty().append([b"short"]),
        lambda: Edge.of(1, []),
        lambda: Edge.of(0, [b""]),
        lambda: Edge.of(-1, []),
        lambda: Edge.of(256, [EMPTY_ROOT]),
    ],
)
def test_what_is_no_tree_is_refused(refused):
    with pytest.raises(ProofError):
        refused()
