"""The messages between a log and a witness. Source: C2SP tlog-witness, "add-checkpoint"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from shared.merkle.encoding import from_base64, from_decimal, to_base64
from shared.merkle.errors import NoteError
from shared.merkle.keys import COSIGNATURE, Signature, VerifierKey
from shared.merkle.note import Note, parse_signatures
from shared.merkle.tree import HASH_SIZE

_MAX_HASHES: Final = 63


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The signed `checkpoint`, and the `proof` that the log continues the log of `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        """Return the body of the request."""
        return "\n".join([f"old {self.old}", *map(to_base64, self.proof), "", self.checkpoint])

    @classmethod
    def parse(cls, body: str) -> Self:
        """Parse the request in `body`, without a check of the checkpoint. Raises NoteError."""
        head, separator, checkpoint = body.partition("\n\n")
        first, *lines = head.split("\n")
        if not separator or not first.startswith("old "):
            raise NoteError("The request states the old size, a proof and the checkpoint.")
        try:
            old, proof = from_decimal(first.removeprefix("old ")), tuple(map(from_base64, lines))
        except ValueError:
            raise NoteError("A number or a hash of the request is malformed.") from None
        if len(proof) > _MAX_HASHES or any(len(one) != HASH_SIZE for one in proof):
            raise NoteError("A proof has at most 63 hashes of 32 bytes each.")
        return cls(old, proof, checkpoint)


def cosignatures(checkpoint: str, answer: str, witnesses: Sequence[VerifierKey]) -> list[Signature]:
    """Return the signatures in a witness's `answer` that known `witnesses` made over `checkpoint`.

    `checkpoint` is the signed note. Signatures of unknown keys are left out. Raises NoteError for a
    malformed answer, and BadSignatureError when a known witness's signature does not verify.
    """
    known = [key for key in witnesses if key.algorithm == COSIGNATURE]
    made = parse_signatures(answer)
    named = {(key.name, key.key_id) for key in known}
    ours = tuple(one for one in made if (one.name, one.key_id) in named)
    if ours:
        Note(Note.parse(checkpoint).text, ours).verify(known)
    return list(ours)
