"""Merkle Tree Hashes and proofs of RFC 9162 section 2.1, the same as in RFC 6962."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from shared.merkle.errors import ProofError

HASH_SIZE: Final = 32
# The root of the tree without leaves: RFC 9162 section 2.1.1.
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash a leaf: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash a node over two children: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Compute the Merkle Tree Hash by definition. Hashes every leaf hash."""
    if not leaf_hashes:
        return EMPTY_ROOT
    if len(leaf_hashes) == 1:
        return leaf_hashes[0]
    split = 1 << (len(leaf_hashes) - 1).bit_length() - 1
    return node_hash(root_of(leaf_hashes[:split]), root_of(leaf_hashes[split:]))


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Return when `leaf` (a leaf hash) is number `index` of the tree of `size` with `root`.

    Raises ProofError for a failed proof. Source: RFC 9162 section 2.1.3.2.
    """
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(f"There is no entry {index} in a tree of {size}.")
    _, computed = _climb(index, size - 1, leaf, proof)
    if computed != root:
        raise ProofError(f"The inclusion proof of entry {index} does not lead to the root.")


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Return when the tree of size `new` begins with the whole tree of size `old`.

    Raises ProofError for a failed proof. The proof is empty from 0 or between equal sizes. Source:
    RFC 9162 section 2.1.4.2.
    """
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new:
        raise ProofError(f"A tree of {new} cannot continue one of {old}.")
    if old in {0, new}:
        if proof:
            raise ProofError("The consistency proof is too long.")
        if old_root != (new_root if old == new else EMPTY_ROOT):
            raise ProofError(f"Two trees of {old} entries differ.")
        if new == 0 and new_root != EMPTY_ROOT:
            raise ProofError("The root is not that of an empty tree.")
        return
    if not proof:
        raise ProofError("The consistency proof is too short.")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # The old tree is a whole subtree of the new tree exactly for a power of two as the old size.
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    in_old, in_new = _climb(node, last, path[0], path[1:])
    if in_old != old_root or in_new != new_root:
        raise ProofError(f"The tree of {new} entries does not continue the one of {old}.")


def _climb(node: int, last: int, start: bytes, siblings: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Hash upwards from `start`, hash `node` of 0..`last` at the height of `start`, by `siblings`.

    Returns two roots: over `start` and everything left of `start`, and over everything.
    """
    left = whole = start
    for sibling in siblings:
        if last == 0:
            raise ProofError("The proof is too long.")
        if node & 1 or node == last:
            left, whole = node_hash(sibling, left), node_hash(sibling, whole)
            # A node without a right sibling stands for the parent: climb to a node with a left
            # sibling.
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            whole = node_hash(whole, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("The proof is too short.")
    return left, whole


def _check_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_SIZE for one in hashes):
        raise ProofError(f"A hash is {HASH_SIZE} bytes.")
