"""Signed notes: text with signatures under the text. Source: C2SP signed-note."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from shared.merkle.encoding import from_base64
from shared.merkle.errors import BadSignatureError, NoteError, UnknownKeyError
from shared.merkle.keys import Signature, SigningKey, VerifierKey, check_name

# The specification asks for a limit, and for a limit of at least 16 signatures.
MAX_SIGNATURES: Final = 100
MAX_NOTE: Final = 1_000_000
_KEY_ID: Final = 4
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Note:
    """A note. `text` ends with a newline. Do not trust `text` before `verify` returns."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Parse the note in `data`. Raises NoteError for a malformed note."""
        text = _decode(data)
        body, separator, lines = text.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise NoteError("A note ends with an empty line and the signatures.")
        note = cls(body + "\n", tuple(parse_signatures(lines)))
        if not note.signatures:
            raise NoteError("The note has no signature.")
        return note

    @classmethod
    def sign(cls, text: str, keys: Iterable[SigningKey]) -> Self:
        """Sign `text` with each of `keys`. Raises NoteError for text that no note can hold."""
        check_text(text)
        return cls(text, tuple(key.sign(text) for key in keys))

    def __str__(self) -> str:
        """Return the note as text."""
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}"

    def verify(self, keys: Sequence[VerifierKey]) -> list[tuple[VerifierKey, Signature]]:
        """Return the `keys` that have signed, with the signatures.

        Signatures of unknown keys are ignored. Raises UnknownKeyError when no known key has signed,
        and BadSignatureError when the signature of a known key does not verify.
        """
        known = {(key.name, key.key_id): key for key in keys}
        if len(known) < len(set(keys)):
            raise NoteError("Two of the known keys have the same name and id.")
        verified = []
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.verifies(self.text, signature.value):
                raise BadSignatureError(f"The signature of {key.name} does not verify.")
            verified.append((key, signature))
        if not verified:
            raise UnknownKeyError("The note is not signed by any of the known keys.")
        return verified

    def with_signatures(self, added: Iterable[Signature]) -> "Note":
        """Add signatures to the note; each replaces a signature of the same name and key."""
        merged = {(one.name, one.key_id): one for one in (*self.signatures, *added)}
        return Note(self.text, tuple(merged.values()))


def parse_signatures(lines: str) -> list[Signature]:
    """Parse signature lines, each with a newline, as under a note or in a witness's answer.

    Raises NoteError for malformed lines.
    """
    if lines and not lines.endswith("\n"):
        raise NoteError("A signature line ends with a newline.")
    parts = lines.split("\n")[:-1]
    if len(parts) > MAX_SIGNATURES:
        raise NoteError(f"A note has at most {MAX_SIGNATURES} signatures.")
    return [_signature(line) for line in parts]


def check_text(text: str) -> None:
    """Raise NoteError for text that a note cannot sign."""
    if not text.endswith("\n"):
        raise NoteError("The text of a note ends with a newline.")
    if _CONTROL.search(text):
        raise NoteError("A note holds no control characters.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError("A note is Unicode text.") from None


def _decode(data: bytes | str) -> str:
    if len(data) > MAX_NOTE:
        raise NoteError(f"A note is at most {MAX_NOTE} bytes.")
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        raise NoteError("A note is UTF-8 text.") from None
    check_text(text)
    return text


def _signature(line: str) -> Signature:
    mark, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if mark != "—":
        raise NoteError("A signature line begins with an em dash and a space.")
    check_name(name)
    try:
        data = from_base64(encoded)
    except ValueError:
        raise NoteError("A signature is in base64.") from None
    if len(data) <= _KEY_ID:
        raise NoteError("A signature is longer than the id of its key.")
    return Signature(name, data[:_KEY_ID], data[_KEY_ID:])
