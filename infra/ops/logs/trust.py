"""The verifier's trust: the log's public keys, and nothing else."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from infra.ops.errors import CommandError
from infra.ops.logs.outcome import Fault
from shared.merkle import (
    COSIGNATURE,
    ED25519,
    BadSignatureError,
    Checkpoint,
    Note,
    NoteError,
    UnknownKeyError,
    VerifierKey,
    open_checkpoint,
)

_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Trust:
    """The log's keys: keys with a name, and keys of a JWKS without a name.

    Every key in `witnesses` must have cosigned the log's checkpoint. `revoked` are the keys that a
    JWKS marks as revoked: old signatures still count.
    """

    named: tuple[VerifierKey, ...]
    nameless: tuple[bytes, ...]
    origin: str | None = None
    witnesses: tuple[VerifierKey, ...] = ()
    revoked: frozenset[bytes] = frozenset()

    @classmethod
    def of(
        cls, given: Sequence[str], origin: str | None = None, witnesses: Sequence[str] = ()
    ) -> Self:
        """Read keys `given` as vkeys, as files of vkeys, or as files of a JWKS.

        Raises CommandError for any different text, and for a witness's key in place of a log's key.
        """
        named: list[VerifierKey] = []
        nameless: dict[bytes, bool] = {}
        for one in given:
            text = _text(one)
            if text.lstrip().startswith("{"):
                for public, is_revoked in _jwks(text, one):
                    # Two versions may hold the same key, revoked in one version only: the key still
                    # signs.
                    nameless[public] = is_revoked and nameless.get(public, True)
            else:
                named += _vkeys(text, one, ED25519)
        if not named and not nameless:
            raise CommandError("There is no Ed25519 key in what was given with --key.")
        outside = [key for one in witnesses for key in _vkeys(_text(one), one, COSIGNATURE)]
        revoked = frozenset(public for public, is_revoked in nameless.items() if is_revoked)
        return cls(tuple(named), tuple(nameless), origin, tuple(outside), revoked)

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys that may sign for the log `origin`.

        A log's key is named as the log's origin (C2SP tlog-checkpoint, "Signatures"), so the key
        signs for no second log. A caller that asks for an origin accepts a key of any name.
        """
        named = tuple(key for key in self.named if self.origin or key.name == origin)
        return named + tuple(VerifierKey(origin, public) for public in self.nameless)

    def open(self, signed: bytes | str, what: str) -> Checkpoint | Fault:
        """Return a signed note's checkpoint, or a Fault for a trusted key's false signature.

        Raises CommandError when the checkpoint is malformed, belongs to a different log, or has no
        signature of the given keys.
        """
        try:
            origin = Checkpoint.parse(Note.parse(signed).text).origin
            self._check(origin, what)
            checkpoint = open_checkpoint(signed, self.keys(origin))
            self._check_witnesses(signed, what)
            return checkpoint
        except BadSignatureError:
            return Fault(origin, "signature", f"a signature of {what} does not verify")
        except UnknownKeyError:
            raise CommandError(f"None of the given keys has signed {what}.") from None
        except NoteError as error:
            raise CommandError(f"{what.capitalize()} cannot be read. {error}") from None

    def is_revoked(self, signed: bytes | str, origin: str) -> bool:
        """Tell whether every key that signed a checkpoint, already opened, is revoked."""
        signers = Note.parse(signed).verify(self.keys(origin))
        return all(key.public in self.revoked for key, _ in signers)

    def _check(self, origin: str, what: str) -> None:
        names = {self.origin} if self.origin else {key.name for key in self.named}
        if origin not in names and (self.origin or not self.nameless):
            expected = " or ".join(sorted(filter(None, names)))
            raise CommandError(
                f"{what.capitalize()} is of the log {origin!r}, not of {expected!r}."
            )

    def _check_witnesses(self, signed: bytes | str, what: str) -> None:
        for witness in self.witnesses:
            try:
                Note.parse(signed).verify([witness])
            except UnknownKeyError:
                raise CommandError(f"{witness.name} has not cosigned {what}.") from None


def read_text(file: Path, what: str) -> str:
    """Return a small text file's content.

    Raises CommandError for a file that is too large or not UTF-8, OSError for an unreadable file.
    """
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise CommandError(f"{file} is too large for {what}.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not {what}.") from None


def _text(given: str) -> str:
    """Return the argument if the argument is a key, else the text of the file with this name."""
    if "+" in given and not Path(given).exists():
        return given
    return read_text(Path(given), "a public key")


def _vkeys(text: str, where: str, algorithm: int) -> list[VerifierKey]:
    try:
        keys = [VerifierKey.parse(line.strip()) for line in text.split("\n") if line.strip()]
    except NoteError as error:
        raise CommandError(f"{where} is not a public key. {error}") from None
    if any(key.algorithm != algorithm for key in keys):
        kinds = {ED25519: "a log's key", COSIGNATURE: "a witness's key"}
        raise CommandError(f"{where} is not {kinds[algorithm]}.")
    return keys


def _jwks(text: str, where: str) -> list[tuple[bytes, bool]]:
    """Return the Ed25519 keys of a JWKS or a JWK (RFC 7517, RFC 8037), each with a revoked flag.

    Source of `revoked`: OpenID Federation 1.0, "Federation Historical Keys Response".
    """
    try:
        said = json.loads(text)
        keys = said.get("keys", [said])
        chosen = [key for key in keys if (key["kty"], key.get("crv")) == ("OKP", "Ed25519")]
        texts = [key["x"] for key in chosen]
        public = [base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)) for x in texts]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise CommandError(f"{where} is neither a public key nor a JWKS.") from None
    if any(len(key) != 32 for key in public):
        raise CommandError(f"{where} has an Ed25519 key that is not 32 bytes.")
    return [(raw, "revoked" in key) for raw, key in zip(public, chosen, strict=True)]
