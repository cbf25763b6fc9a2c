"""What an instance knows of indices: digests that were seen, and nodes that are known whole."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.accesslog.storage import nodes
from shared.accesslog.storage.known import Digests, KnownIndex, KnownIndices, KnownNode
from shared.accesslog.storage.nodes import Node, Root

DIGESTS = st.lists(
    st.integers(0, 2**64 - 1) | st.integers(0, 50) | st.integers(2**64 - 50, 2**64 - 1)
)


def packed(*digests):
    return nodes.packed((digest, 0) for digest in digests)


@given(steps=st.lists(DIGESTS, max_size=8))
def test_digests_are_a_set(steps):
    kept, expected = Digests(part=3), set()
    for step in steps:
        kept.update(step)
        expected.update(step)
        assert len(kept) == len(expected)
        near = {max(0, min(digest + by, 2**64 - 1)) for digest in expected for by in (-1, 0, 1)}
        assert {digest for digest in near | {0, 2**63, 2**64 - 1} if digest in kept} == expected


def test_digests_take_little_more_than_their_bytes():
    kept = Digests()
    kept.update(nodes.SHAPE.digest("tests", str(number)) for number in range(50_000))
    taken = sum(sys.getsizeof(part) for part in kept.parts)
    assert len(kept) == 50_000
    # An array that grows has room for a few more.
    assert taken < 1.3 * 8 * 50_000


def test_digests_that_all_lie_together_do_no_harm():
    kept = Digests(part=3)
    kept.update(range(1000))
    assert len(kept) == 1000
    assert len(kept.parts) < 1000
    assert all(digest in kept for digest in range(1000))
    assert 1000 not in kept


def node(prefix, below=0, **runs):
    return Node(prefix, {name: packed(*digests) for name, digests in runs.items()}, below)


def test_a_node_is_known_until_its_parent_has_more_below_it():
    known = KnownIndex()
    known.saw_node(node("a", r0_0=[1, 2]), 7)
    assert known.node("a", 7) == KnownNode(7, {"r0_0": 2})
    assert known.node("a", 7).count == 2
    assert known.node("a", 8) is None
    assert known.node("b", 7) is None
    assert 1 in known.digests


def test_a_node_that_was_read_again_is_known_with_what_is_new():
    known = KnownIndex()
    for read in (
        node("a", r0_0=[1]),
        node("a", r0_0=[1], r9_0=[2]),
        node("a", below=2, r12_0=[3, 4]),
        node("a", below=2, r12_0=[3, 4], r15_0=[5]),
    ):
        known.saw_node(read, 9)
        assert known.node("a", 9).count == read.count
        assert all(digest in known.digests for digest in nodes.digests_of(read.records))


def test_a_root_is_known_with_what_was_added_since():
    known = KnownIndex()
    roots = [Root(packed(1)), Root(packed(1, 2)), Root(packed(1)), Root(packed(3), 2)]
    for root in [*roots, Root(packed(1, 2)), Root(packed(3, 4), 2)]:
        known.saw_node(node("a", r0_0=[9]), 2)
        known.saw_root(root)
        assert all(digest in known.digests for digest in root.digests())
        assert known.node("a", 2)


def test_what_another_instance_let_down_is_known_where_just_that_was_seen():
    known = KnownIndex()
    known.saw_root(Root(packed(1, 2 << 60)))
    known.saw_root(Root(packed(7), 2))
    assert known.node("0", 2) == KnownNode(2, {"r0_0": 1})
    assert known.node("3", 2) == KnownNode(2)
    # It got one more record before it was let down.
    known.saw_root(Root(packed(8), 4))
    assert known.node("0", 4) is None


def test_nothing_is_known_of_a_log_that_was_put_back():
    known = KnownIndex()
    known.saw_root(Root(packed(1, 2, 3), 5))
    known.saw_node(node("a", r0_0=[9]), 5)
    known.saw_root(Root(packed(1), 5))
    assert known.node("a", 5)
    known.saw_root(Root(packed(1, 4), 5))
    assert known.node("a", 5) is None
    assert [digest in known.digests for digest in (1, 2, 3, 4, 9)] == [1, 0, 0, 1, 0]
    known.saw_root(Root(packed(1, 4, 5), 5))
    assert 5 in known.digests


@pytest.mark.parametrize("before", [0, 5])
def test_what_has_gone_down_is_where_it_went(before):
    known = KnownIndex()
    if before:
        known.saw_node(node("0", 4, r0_0=[1]), before)
        known.saw_node(node("1"), before)
        # Read before the answer to who lets the records down.
        known.saw_node(node("3", r5_0=[3 << 60]), before)
    shares = {"0": packed(1, 2), "2": packed(2 << 60), "3": packed(3 << 60)}
    known.gone_down("", shares, before)
    after = before + 4
    run = f"r{before}_0"
    if before:
        assert known.node("0", after) == KnownNode(after, {"r0_0": 1, run: 2}, 4)
        # What was not known is not known now.
        assert known.node("2", after) is None
    else:
        assert known.node("0", after) == KnownNode(after, {run: 2})
        assert known.node("2", after) == KnownNode(after, {run: 1})
    assert known.node("1", after) == KnownNode(after)
    assert known.node("3", after) == KnownNode(after, {run: 1})
    # Who knows the child may not have seen them in the parent.
    assert {1, 2, 3 << 60} <= {digest for digest in (1, 2, 3 << 60) if digest in known.digests}


def test_the_logs_used_last_are_known():
    indices = KnownIndices(most_digests=4, most=3)
    for partition in "abc":
        indices.of(partition).digests.update([1])
    first = indices.of("a")
    indices.of("d")
    assert indices.of("a") is first
    assert len(indices.of("a").digests) == 1
    # Too many of one log: the others are forgotten, and then it as well.
    first.digests.update(range(4))
    assert indices.of("a") is first
    assert len(indices.of("c").digests) == 0
    first.digests.update(range(5))
    assert indices.of("a") is not first
    assert len(indices.of("a").digests) == 0
