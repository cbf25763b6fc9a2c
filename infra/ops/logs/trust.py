"""What the verifier trusts: the log's public keys, and nothing else."""

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
    """The log's keys: those with a name, and those (of a JWKS) that have none of their own.

    All `witnesses` must have cosigned the checkpoint of a log. `revoked` are those keys that sign
    no more, as a JWKS says: what they signed before still counts.
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
        """The keys that are `given` as vkeys, or as files of vkeys or of a JWKS.

        Raises CommandError for what is neither, and for a witness's key in place of a log's.
        """
        named: list[VerifierKey] = []
        nameless: dict[bytes, bool] = {}
        for one in given:
            text = _text(one)
            if text.lstrip().startswith("{"):
                for public, is_revoked in _jwks(text, one):
                    # Two versions may be the same key, of which one goes on.
                    nameless[public] = is_revoked and nameless.get(public, True)
            else:
                named += _vkeys(text, one, ED25519)
        if not named and not nameless:
            raise CommandError("There is no Ed25519 key in what was given with --key.")
        outside = [key for one in witnesses for key in _vkeys(_text(one), one, COSIGNATURE)]
        revoked = frozenset(public for public, is_revoked in nameless.items() if is_revoked)
        return cls(tuple(named), tuple(nameless), origin, tuple(outside), revoked)

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys that may sign for the log `origin`.

        A log's key is named as its origin (C2SP tlog-checkpoint, "Signatures"), so that one log's
        key does not sign for another; it may have any name where the origin was asked for.
        """
        named = tuple(key for key in self.named if self.origin or key.name == origin)
        return named + tuple(VerifierKey(origin, public) for public in self.nameless)

    def open(self, signed: bytes | str, what: str) -> Checkpoint | Fault:
        """The checkpoint of a signed note; a Fault when a trusted key's signature is false.

        Raises CommandError when it is malformed, another log's, or signed by none of the keys.
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
        """Whether none of the keys that signed a checkpoint, which is open, signs any more."""
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
    """The text of a small file. Raises CommandError when it cannot be that, OSError otherwise."""
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise CommandError(f"{file} is too large for {what}.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not {what}.") from None


def _text(given: str) -> str:
    """What was given itself if it is a key, and otherwise what is in the file of that name."""
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
    """The Ed25519 keys of a JWKS or a JWK (RFC 7517, RFC 8037), and whether each is revoked.

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
