"""Checkpoints: a signed statement of a log's size and root. Source: C2SP tlog-checkpoint."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from shared.merkle.encoding import from_base64, from_decimal, to_base64
from shared.merkle.errors import NoteError
from shared.merkle.keys import SigningKey, VerifierKey
from shared.merkle.note import Note, check_text
from shared.merkle.tiles import MAX_SIZE
from shared.merkle.tree import HASH_SIZE


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A statement: the log `origin` has `size` entries under `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise NoteError for a value that a checkpoint cannot state."""
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_SIZE:
            raise NoteError("The size or the root of the checkpoint is out of range.")
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise NoteError("The origin and the extensions of a checkpoint are lines of text.")
        check_text(self.text)

    @property
    def text(self) -> str:
        """The text to sign."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the checkpoint in a note's text. Raises NoteError for a malformed text."""
        origin, *lines = text.removesuffix("\n").split("\n")
        if len(lines) < 2 or not text.endswith("\n"):
            raise NoteError("A checkpoint has lines for origin, size and root.")
        try:
            size, root = from_decimal(lines[0]), from_base64(lines[1])
        except ValueError:
            raise NoteError("The size or the root of the checkpoint is malformed.") from None
        return cls(origin, size, root, tuple(lines[2:]))

    def sign(self, keys: Iterable[SigningKey]) -> str:
        """Return the checkpoint as a note with a signature by each of `keys`."""
        return str(Note.sign(self.text, keys))


def open_checkpoint(signed: bytes | str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Open a note with a signature by at least one of the log's own `keys`.

    Returns the checkpoint. Raises NoteError as `Note.parse`, `Note.verify` and `Checkpoint.parse`
    do.
    """
    note = Note.parse(signed)
    note.verify(keys)
    return Checkpoint.parse(note.text)
