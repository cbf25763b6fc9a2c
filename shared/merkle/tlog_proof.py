"""Self-contained proofs of an entry under a signed checkpoint. Source: C2SP tlog-proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from shared.merkle.checkpoint import Checkpoint, open_checkpoint
from shared.merkle.encoding import from_base64, from_decimal, to_base64
from shared.merkle.errors import NoteError
from shared.merkle.keys import VerifierKey
from shared.merkle.tree import HASH_SIZE, verify_inclusion

HEADER: Final = "c2sp.org/tlog-proof@v1"
MEDIA_TYPE: Final = "text/plain; charset=utf-8"
_MAX_HASHES: Final = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Entry `index`, the inclusion `proof` (leaf upwards) and the signed `checkpoint` as text.

    `extra` is opaque, without any authentication.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def __str__(self) -> str:
        """Return the proof in file form."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines += [f"index {self.index}", *map(to_base64, self.proof), "", self.checkpoint]
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the proof in `text`, without a check of the checkpoint. Raises NoteError."""
        head, separator, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not separator or lines.pop(0) != HEADER:
            raise NoteError(f"A proof begins with the line {HEADER}.")
        try:
            extra = None
            if lines and lines[0].startswith("extra "):
                extra = from_base64(lines.pop(0).removeprefix("extra "))
            if not lines or not lines[0].startswith("index "):
                raise NoteError("The proof does not state an index.")
            index = from_decimal(lines.pop(0).removeprefix("index "))
            proof = tuple(map(from_base64, lines))
        except NoteError:
            raise
        except ValueError:
            raise NoteError("A number or a hash of the proof is malformed.") from None
        if len(proof) > _MAX_HASHES or any(len(one) != HASH_SIZE for one in proof):
            raise NoteError("A proof has at most 63 hashes of 32 bytes each.")
        return cls(index, proof, checkpoint, extra)

    def verify(self, leaf: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
        """Verify that `leaf` is under the checkpoint, and that one of the log's `keys` has signed.

        Returns the checkpoint. Raises NoteError for the checkpoint and ProofError for the
        inclusion.
        """
        checkpoint = open_checkpoint(self.checkpoint, keys)
        verify_inclusion(self.index, checkpoint.size, leaf, self.proof, checkpoint.root)
        return checkpoint
