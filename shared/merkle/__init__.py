"""The access log's mathematics: Merkle trees, tiles, proofs, signed notes and redactions.

The package is pure, without input or output. The package imports the standard library and
`cryptography` only, and nothing else of the project. A tenant who verifies a log can therefore read
the whole verifier.
"""

from shared.merkle.checkpoint import Checkpoint, open_checkpoint
from shared.merkle.edge import Edge
from shared.merkle.errors import (
    BadSignatureError,
    MerkleError,
    NoteError,
    ProofError,
    UnknownKeyError,
)
from shared.merkle.keys import COSIGNATURE, ED25519, Signature, SigningKey, VerifierKey, cosigned_at
from shared.merkle.note import Note, parse_signatures
from shared.merkle.proofs import (
    consistency_proof,
    consistency_tiles,
    inclusion_proof,
    inclusion_tiles,
    root,
    root_tiles,
)
from shared.merkle.redaction import Redaction, is_redaction, leaf_of, open_redaction
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
from shared.merkle.tlog_proof import TlogProof
from shared.merkle.tree import (
    EMPTY_ROOT,
    HASH_SIZE,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from shared.merkle.witness import AddCheckpoint, cosignatures

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "EMPTY_ROOT",
    "HASH_SIZE",
    "MAX_ENTRY",
    "MAX_SIZE",
    "WIDTH",
    "AddCheckpoint",
    "BadSignatureError",
    "Checkpoint",
    "Edge",
    "MerkleError",
    "Note",
    "NoteError",
    "ProofError",
    "Redaction",
    "Signature",
    "SigningKey",
    "Tile",
    "TlogProof",
    "UnknownKeyError",
    "VerifierKey",
    "consistency_proof",
    "consistency_tiles",
    "cosignatures",
    "cosigned_at",
    "decode_bundle",
    "encode_bundle",
    "entries_path",
    "inclusion_proof",
    "inclusion_tiles",
    "is_redaction",
    "leaf_hash",
    "leaf_of",
    "node_hash",
    "open_checkpoint",
    "open_redaction",
    "parse_entries_path",
    "parse_signatures",
    "parse_tile_path",
    "root",
    "root_of",
    "root_tiles",
    "verify_consistency",
    "verify_inclusion",
]
