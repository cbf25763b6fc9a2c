"""The keys that sign checkpoints and redactions: versions of one secret, rotated with an overlap.

Each version of the secret is the 32 bytes of an Ed25519 private key in base64. The public key is
written to `evidence` before the first signature. The signatures therefore stay verifiable after the
vault has disabled the version, and nobody with access to the tables alone can add a key.
"""

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.accesslog.proofs.evidence import content_of, kept_once, listed
from shared.errors import IntegrityError, UnavailableError
from shared.merkle import NoteError, SigningKey, VerifierKey
from shared.ports import BlobInfo, Blobs, Clock, Secrets, SecretVersion
from shared.rows import Stored

SECRET: Final = "log-signing-key"  # noqa: S105 - the name of the secret, not the secret
OVERLAP: Final = timedelta(days=30)
"""The time for which an older version signs beside the successor."""

_FOLDER: Final = "log-keys/"
_MEDIA_TYPE: Final = "application/json"
_KEY_SIZE: Final = 32

logger = logging.getLogger("vouchsafe.accesslog")


class KeyChangedError(IntegrityError):
    """The public key of `version` in `evidence` is wrong; nothing is signed then."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"the public key of version {version} in evidence is another",
            "Report it: nothing is signed until that version is disabled and has a successor.",
        )
        self.version = version


class PublicKey(Stored, frozen=True):
    """The public half of a version of the key; `public` is 32 bytes in base64url."""

    version: str
    public: str
    created: datetime

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return base64.urlsafe_b64decode(self.public + "=")


def signing(versions: Sequence[SecretVersion], now: datetime) -> list[SecretVersion]:
    """Return the signing versions, the newest first; `versions` begins with the oldest.

    An older version signs for 30 days after the successor's creation, so that every verifier learns
    of the new version. To stop a version at once, disable the version in the vault.
    """
    successors = [version.created for version in versions[1:]] + [now]
    live = [
        version
        for version, succeeded in zip(versions, successors, strict=True)
        if version is versions[-1] or now - succeeded < OVERLAP
    ]
    return live[::-1]


class LogKeys:
    """The signing keys of every log of the stamp."""

    def __init__(self, secrets: Secrets, blobs: Blobs, clock: Clock) -> None:
        self._secrets = secrets
        self._blobs = blobs
        self._clock = clock
        # The content of `evidence` by blob name; a blob never changes.
        self._kept: dict[str, PublicKey] = {}

    async def signers(self, name: str) -> list[SigningKey]:
        """Return the keys that sign under `name`, the newest first, and write the public halves.

        Raises UnavailableError for a vault without a version, and KeyChangedError for a different
        public key in `evidence`.
        """
        versions = await self._secrets.versions(SECRET)
        if not versions:
            raise UnavailableError("vault")
        live = signing(versions, self._clock())
        for version in live:
            await self._keep(version)
        return [_signer(name, version) for version in live]

    async def published(self) -> list[PublicKey]:
        """Return the public keys of every past and present version, oldest first.

        The vault gives the present versions. Raises KeyChangedError for an unreadable public key in
        `evidence`.
        """
        kept = [await self._read(blob) for blob in await listed(self._blobs, _FOLDER)]
        known = {one.version: one for one in kept}
        for version in await self._secrets.versions(SECRET):
            known[version.version] = _public(version)
        return sorted(known.values(), key=lambda one: (one.created, one.version))

    async def revoked(self) -> Mapping[str, datetime]:
        """Return the versions disabled in the vault, which sign no more, and the time of each."""
        return await self._secrets.disabled(SECRET)

    async def verifiers(self, name: str) -> list[VerifierKey]:
        """Return the public keys under `name` that verify every signature ever made."""
        keys = [VerifierKey(name, one.raw) for one in await self.published()]
        return list(dict.fromkeys(keys))

    async def _keep(self, version: SecretVersion) -> None:
        own, name = _public(version), f"{_FOLDER}{version.version}.json"
        if name not in self._kept:
            data = msgspec.json.encode(own)
            content = await kept_once(self._blobs, name, data, _MEDIA_TYPE)
            self._kept[name] = _public_from(name, content)
        if self._kept[name].public != own.public:
            raise KeyChangedError(version.version)

    async def _read(self, blob: BlobInfo) -> PublicKey:
        if blob.name not in self._kept:
            content = await content_of(self._blobs, blob)
            self._kept[blob.name] = _public_from(blob.name, content)
        return self._kept[blob.name]


def _public(version: SecretVersion) -> PublicKey:
    public = base64.urlsafe_b64encode(_signer("-", version).verifier.public).decode()
    return PublicKey(version=version.version, public=public.rstrip("="), created=version.created)


def _public_from(name: str, content: bytes) -> PublicKey:
    """Read the public key in a blob of `evidence`.

    Raises KeyChangedError for unreadable content.
    """
    version = name.removeprefix(_FOLDER).removesuffix(".json")
    try:
        kept = msgspec.json.decode(content, type=PublicKey)
        is_key = len(kept.raw) == _KEY_SIZE and kept.version == version
    except (msgspec.DecodeError, binascii.Error):
        is_key = False
    if not is_key:
        raise KeyChangedError(version)
    return kept


def _signer(name: str, version: SecretVersion) -> SigningKey:
    try:
        seed = base64.b64decode(version.value, validate=True)
        return SigningKey.of_seed(name, seed)
    except (binascii.Error, NoteError) as error:
        # The operator has to mend the version; until then the work waits.
        logger.error("version %s of %s is no Ed25519 key in base64", version.version, SECRET)  # noqa: TRY400 - the value stays secret
        raise UnavailableError("vault") from error
