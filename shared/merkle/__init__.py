"""The access log's mathematics: Merkle trees, tiles, proofs, signed notes and redactions.

Pure: no input or output, nothing but the standard library and `cryptography`, and nothing else of
this project, so that a tenant who wants to verify a log can read all of what verifies it.
"""

from shared.merkle.edge import Edge
from shared.merkle.errors import MerkleError, NoteError, ProofError
from shared.merkle.proofs import (
    consistency_proof,
    consistency_tiles,
    inclusion_proof,
    inclusion_tiles,
    root,
    root_tiles,
)
from shared.merkle.tiles import (
    MAX_ENTRY,
    MAX_SIZE,
    WIDTH,
    Tile,
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_entries_path,
    parse_tile_path,
)
from shared.merkle.tree import (
    EMPTY_ROOT,
    HASH_SIZE,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "MAX_ENTRY",
    "MAX_SIZE",
    "WIDTH",
    "Edge",
    "MerkleError",
    "NoteError",
    "ProofError",
    "Tile",
    "consistency_proof",
    "consistency_tiles",
    "decode_bundle",
    "encode_bundle",
    "entries_path",
    "inclusion_proof",
    "inclusion_tiles",
    "leaf_hash",
    "node_hash",
    "parse_entries_path",
    "parse_tile_path",
    "root",
    "root_of",
    "root_tiles",
    "verify_consistency",
    "verify_inclusion",
]
