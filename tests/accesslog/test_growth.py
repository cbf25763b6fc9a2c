"""A log that grows over the boundaries of tiles, and keeps its tree when entries are redacted."""

import os

import pytest

from shared.accesslog import LogStore
from shared.accesslog.storage import layout
from shared.accesslog.storage.commits import commit_of
from shared.accesslog.storage.head import Head
from shared.accesslog.storage.pending import PendingAppend
from shared.errors import NotFoundError
from shared.ids import key
from shared.merkle import Edge, Tile, inclusion_proof, inclusion_tiles, leaf_hash, verify_inclusion
from shared.ports import Insert
from tests.accesslog.logs import SECRET, audited, entries

# The most operations of an entity-group transaction.
LIMIT = 100


def crafted(size):
    """The edge of a tree of so many leaves that nobody has: its hashes are made up."""
    widths = [(size >> 8 * level) % 256 for level in range(-(-size.bit_length() // 8))]
    return Edge.of(size, [os.urandom(32 * width) for width in widths])


async def grown(kept, tenant, size):
    """A log that has come to `size`, without its entries."""
    edge = crafted(size)
    await kept.commit(layout.TABLE, [Insert(layout.head_row(key(tenant), edge, None))])
    return edge


@pytest.mark.parametrize("size", [256**2 - 100, 3 * 256**2 - 1, 256**3 - 93, 7 * 256**3 - 1])
async def test_tiles_are_kept_when_they_become_full(store, kept, tenant, size):
    edge = await grown(kept, tenant, size)
    wanted = entries(*range(200))
    assert await store.append(tenant, wanted) == list(range(size, size + 200))
    after, full = edge.append([leaf_hash(one.payload) for one in wanted])
    assert await store.head(tenant) == after
    higher = [(tile, hashes) for tile, hashes in full if tile.level]
    assert higher
    for tile, hashes in higher:
        assert await store.tile(tenant, tile) == hashes
        narrow = Tile(tile.level, tile.index, 17)
        assert await store.tile(tenant, narrow) == hashes[: 17 * 32]
    # The edge of the boundary is known from the tiles that became full there.
    boundary = -(-size // 256) * 256
    then, _ = edge.append([leaf_hash(one.payload) for one in wanted[: boundary - size]])
    assert await store.edge_at(tenant, boundary) == then


@pytest.mark.parametrize("level", range(2, 7))
async def test_a_commit_never_has_more_operations_than_a_transaction(level):
    size = 256**level - 50
    call = PendingAppend(entries(*range(layout.GROUP_ENTRIES)))
    commit = commit_of("p", Head(crafted(size), "etag"), call.items)
    assert len(commit.operations) == layout.GROUP_ENTRIES + 2 + level - 1 <= LIMIT


async def test_every_proof_is_read_from_a_few_tiles(store, tenant):
    wanted = entries(*range(600))
    await store.append(tenant, wanted)
    edge = await store.head(tenant)
    for index in (0, 1, 255, 256, 511, 512, 599):
        tiles = {tile: await store.tile(tenant, tile) for tile in inclusion_tiles(index, edge.size)}
        proof = inclusion_proof(index, edge.size, tiles)
        leaf = leaf_hash(wanted[index].payload)
        verify_inclusion(index, edge.size, leaf, proof, edge.root())


async def test_bundles_and_ranges_are_what_was_appended(store, tenant):
    wanted = [one.payload for one in entries(*range(600))]
    for start, end in ((0, 1), (1, 250), (250, 300), (300, 600)):
        await store.append(tenant, entries(*range(start, end)))
    assert await store.bundle(tenant, 0) == wanted[:256]
    assert await store.bundle(tenant, 1, 10) == wanted[256:266]
    assert await store.bundle(tenant, 2, 88) == wanted[512:]
    for first, end in ((0, 1), (249, 301), (255, 257), (300, 300), (599, 900), (700, 900)):
        found = [one async for one in store.read(tenant, first, end)]
        assert found == list(enumerate(wanted))[first:end]
        back = [one async for one in store.read_back(tenant, min(end, 600))]
        assert back == list(enumerate(wanted))[:end][::-1]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
async def test_what_the_log_has_not_grown_to_is_not_there(store, tenant, size):
    await store.append(tenant, entries(*range(size)))
    index, width = divmod(size, 256)
    with pytest.raises(NotFoundError):
        await store.tile(tenant, Tile(0, index, width + 1))
    with pytest.raises(NotFoundError):
        await store.bundle(tenant, index, width + 1)
    with pytest.raises(NotFoundError):
        await store.edge_at(tenant, size + 1)
    with pytest.raises(NotFoundError):
        await store.replace(tenant, size, b"redacted")
    assert [one async for one in store.read_back(tenant, 0)] == []


async def test_a_redacted_entry_keeps_its_place_and_the_tree(kept, tenant):
    note = b"redacted\n"
    hashes = {}

    def leaf(of, index, payload):
        return hashes[of, index] if payload == note else leaf_hash(payload)

    store = LogStore(kept, SECRET, leaf=leaf)
    wanted = entries(*range(300))
    await store.append(tenant, wanted)
    root = (await store.head(tenant)).root()
    for index in (0, 92, 93, 299):
        hashes[tenant, index] = leaf_hash(wanted[index].payload)
        await store.replace(tenant, index, note)
    found = dict([one async for one in store.read(tenant)])
    assert {index for index, payload in found.items() if payload == note} == {0, 92, 93, 299}
    assert found[1] == wanted[1].payload
    tiles = await store.tile(tenant, Tile(0, 0))
    assert tiles == b"".join(leaf_hash(one.payload) for one in wanted[:256])
    audit = await audited(store, tenant, roots={300: root})
    assert list(audit.findings) == []
    assert audit.edge.root() == root
