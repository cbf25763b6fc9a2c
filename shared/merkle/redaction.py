"""Redactions: signed notes in place of entries with erased payloads.

The note states the leaf hash of the erased entry. The tree, and every proof with the tree, stays
the same. An entry is a JSON object and begins with `{`. A note begins with an origin, and never
with `{`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from shared.merkle.encoding import from_base64, from_decimal, to_base64
from shared.merkle.errors import NoteError
from shared.merkle.keys import SigningKey, VerifierKey
from shared.merkle.note import Note
from shared.merkle.tree import HASH_SIZE, leaf_hash

HEADER: Final = "redaction/v1"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", re.ASCII)
_REASON: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Redaction:
    """A statement: entry `index` of `origin` had the hash `leaf`, erased `at` for `reason`.

    `reason` is a code: for example `gdpr-art-17`. `at` is UTC, to the millisecond.
    """

    origin: str
    index: int
    leaf: bytes
    at: datetime
    reason: str

    def __post_init__(self) -> None:
        """Raise NoteError for a value that no note can state."""
        if not self.origin or "\n" in self.origin or self.origin.startswith("{"):
            raise NoteError("The origin of a log is one line that does not begin with a brace.")
        if self.index < 0 or len(self.leaf) != HASH_SIZE or self.at.tzinfo is None:
            raise NoteError("The index, the leaf hash or the time of the redaction is malformed.")
        if not _REASON.fullmatch(self.reason):
            raise NoteError("The reason of a redaction is a code of a-z, 0-9 and hyphens.")

    @property
    def text(self) -> str:
        """The text to sign."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines = (self.origin, HEADER, str(self.index), to_base64(self.leaf), at, self.reason)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the redaction in a note's text. Raises NoteError for any different text."""
        lines = text.split("\n")
        if len(lines) != 7 or lines[1] != HEADER or lines[6]:
            raise NoteError("This is not a redaction.")
        origin, _, index, leaf, at, reason, _ = lines
        if not _TIME.fullmatch(at):
            raise NoteError("The time of the redaction is not UTC as RFC 3339 writes it.")
        try:
            return cls(
                origin, from_decimal(index), from_base64(leaf), datetime.fromisoformat(at), reason
            )
        except NoteError:
            raise
        except ValueError:
            raise NoteError("The index, the leaf hash or the time is malformed.") from None

    def sign(self, keys: Iterable[SigningKey]) -> bytes:
        """Return the note for the entry's place, with a signature by each of `keys`."""
        return str(Note.sign(self.text, keys)).encode()


def is_redaction(entry: bytes) -> bool:
    """Tell whether `entry` is no ordinary entry. The bytes may still be an invalid note."""
    return not entry.startswith(b"{")


def open_redaction(entry: bytes, index: int, origin: str, keys: Sequence[VerifierKey]) -> Redaction:
    """Open the redaction of entry `index` of the log `origin`, signed by one of the log's `keys`.

    Raises NoteError for a malformed note, for an invalid signature and for a different entry's
    note.
    """
    note = Note.parse(entry)
    note.verify(keys)
    redaction = Redaction.parse(note.text)
    if (redaction.origin, redaction.index) != (origin, index):
        raise NoteError("The redaction is of another entry.")
    return redaction


def leaf_of(entry: bytes, index: int, origin: str, keys: Sequence[VerifierKey]) -> bytes:
    """Return an entry's leaf hash: the hash of the bytes, or the hash in a signed redaction.

    Raises NoteError for bytes that are neither an ordinary entry nor a valid redaction of the
    entry.
    """
    if is_redaction(entry):
        return open_redaction(entry, index, origin, keys).leaf
    return leaf_hash(entry)
