"""Keys of signed notes: public keys that verify, and private keys that sign.

Source: C2SP signed-note ("vkeys", key IDs, Ed25519 signatures) and tlog-cosignature.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from shared.merkle.encoding import from_base64, to_base64
from shared.merkle.errors import NoteError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# The signature types of C2SP signed-note in use in Vouchsafe.
ED25519: Final = 0x01
COSIGNATURE: Final = 0x04

_KEY_SIZE: Final = 32
_SIGNATURE_SIZE: Final = 64
_TIME_SIZE: Final = 8
_MAX_TIME: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a note. `value` is the part after the 4 bytes of `key_id`."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The signature as a line of a note, with the newline."""
        return f"— {self.name} {to_base64(self.key_id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name. `algorithm` is ED25519, or COSIGNATURE for a witness."""

    name: str
    public: bytes
    algorithm: int = ED25519

    def __post_init__(self) -> None:
        """Raise NoteError for a name or key that no note can carry."""
        check_name(self.name)
        if self.algorithm not in {ED25519, COSIGNATURE}:
            raise NoteError("The key is of a kind that is not known here.")
        if len(self.public) != _KEY_SIZE:
            raise NoteError("An Ed25519 public key is 32 bytes.")

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Parse a key in the form `name+id+base64`. Raises NoteError for any different text."""
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            data = from_base64(encoded)
        except ValueError:
            raise NoteError("This is not a public key of the form name+id+base64.") from None
        if not data:
            raise NoteError("This is not a public key of the form name+id+base64.")
        key = cls(name, data[1:], data[0])
        if key.key_id.hex() != key_id:
            raise NoteError("The id of the public key does not belong to it.")
        return key

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || newline || algorithm || public key)."""
        return hashlib.sha256(f"{self.name}\n".encode() + self._typed).digest()[:4]

    def __str__(self) -> str:
        """Return the key as a vkey, `name+id+base64`."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(self._typed)}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature`, without the key's id, is a signature over `text` by the key."""
        # A local import: at module level, the import would slow every cold start.
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        message = text.encode()
        if self.algorithm == COSIGNATURE:
            seconds = int.from_bytes(signature[:_TIME_SIZE], "big")
            message, signature = cosigned(text, seconds), signature[_TIME_SIZE:]
            if seconds > _MAX_TIME:
                return False
        if len(signature) != _SIGNATURE_SIZE:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @property
    def _typed(self) -> bytes:
        return bytes([self.algorithm]) + self.public


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key under a name. Signs notes, or checkpoints as a witness does."""

    name: str
    private: "Ed25519PrivateKey" = field(repr=False)
    algorithm: int = ED25519

    @classmethod
    def of_seed(cls, name: str, seed: bytes, algorithm: int = ED25519) -> Self:
        """Return the key of a 32-byte seed, the private key of RFC 8032.

        Raises NoteError for a seed of any different length.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != _KEY_SIZE:
            raise NoteError("An Ed25519 private key is 32 bytes.")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed), algorithm)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw(), self.algorithm)

    def sign(self, text: str, at: datetime | None = None) -> Signature:
        """Sign a note's text; a cosigner needs the time `at`, in whole seconds.

        Raises NoteError for a missing or an unwanted time.
        """
        if (at is not None) != (self.algorithm == COSIGNATURE):
            raise NoteError("A cosignature has a time, and no other signature has.")
        message, prefix = text.encode(), b""
        if at is not None:
            seconds = int(at.timestamp())
            if not 0 <= seconds <= _MAX_TIME:
                raise NoteError("The time of a cosignature is not before 1970.")
            message, prefix = cosigned(text, seconds), seconds.to_bytes(_TIME_SIZE, "big")
        return Signature(self.name, self.verifier.key_id, prefix + self.private.sign(message))


def cosigned(text: str, seconds: int) -> bytes:
    """Return the bytes that a witness signs, `seconds` after 1970, over a checkpoint's `text`.

    Source: C2SP tlog-cosignature, "Ed25519 signed message".
    """
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def cosigned_at(signature: Signature) -> datetime:
    """Return the time of a cosignature, in UTC. Raises NoteError for another signature type."""
    if len(signature.value) != _TIME_SIZE + _SIGNATURE_SIZE:
        raise NoteError("This is not a cosignature.")
    try:
        return datetime.fromtimestamp(int.from_bytes(signature.value[:_TIME_SIZE], "big"), UTC)
    except (OverflowError, ValueError, OSError):
        raise NoteError("The time of the cosignature is out of range.") from None


def check_name(name: str) -> None:
    """Raise NoteError for a key name that C2SP signed-note forbids."""
    if not name or "+" in name or any(mark.isspace() or ord(mark) < 0x20 for mark in name):
        raise NoteError("The name of a key is not empty and holds no space and no +.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise NoteError("The name of a key is Unicode text.") from None
