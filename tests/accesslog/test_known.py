"""What an instance knows of indices: digests that were seen, and nodes that are known whole."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.accesslog import nodes
from shared.accesslog.known import Digests, KnownIndex, KnownIndices, KnownNode
from shared.accesslog.nodes import Node, Root

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


def test_a_node_is_known_until_its_parent_has_more_below_it():
    known = KnownIndex()
    known.saw_node(Node("a", packed(1, 2), 1, 0), 7)
    assert known.node("a", 7) == KnownNode(7, 2, 1, 0)
    assert known.node("a", 8) is None
    assert known.node("b", 7) is None
    assert 1 in known.digests


def test_a_node_that_was_read_again_is_known_with_what_is_new():
    known = KnownIndex()
    known.saw_node(Node("a", packed(1), 1, 0), 7)
    for node in (
        Node("a", packed(1), 1, 0),
        Node("a", packed(1, 2), 2, 0),
        Node("a", packed(3), 2, 2),
    ):
        known.saw_node(node, 9)
        assert known.node("a", 9).count == node.count
        assert all(digest in known.digests for digest in nodes.digests_of(node.records))


def test_a_root_is_known_with_what_was_added_since():
    known = KnownIndex()
    roots = [
        Root(packed(1)),
        Root(packed(1, 2)),
        Root(packed(1)),
        Root(packed(3), 2),
        Root(packed(1, 2)),
    ]
    for root in roots:
        known.saw_root(root)
        assert all(digest in known.digests for digest in root.digests())
    assert known.has_all(Root(packed(3), 2))
    assert not known.has_all(Root(packed(1, 2)))
    assert not known.has_all(Root(packed(3, 4), 2))


@pytest.mark.parametrize("before", [0, 5])
def test_what_has_gone_down_is_where_it_went(before):
    known = KnownIndex()
    if before:
        known.saw_node(Node("0", packed(1), 1, 4), before)
        known.saw_node(Node("1", b"", 0, 0), before)
    known.gone_down("", {"0": packed(1, 2), "2": packed(2 << 60)}, before)
    after = before + 3
    was = KnownNode(after, 1, 1, 4) if before else KnownNode(after)
    assert known.node("0", after) == KnownNode(after, was.count + 2, was.runs + 1, was.below)
    assert known.node("1", after) == KnownNode(after)
    # What was not known is not known now, unless there was nothing.
    assert known.node("2", after) == (None if before else KnownNode(after, 1, 1))
    assert (2 << 60 in known.digests) == (not before)


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
