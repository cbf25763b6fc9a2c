"""The keys that sign checkpoints and redactions: versions of one secret, rotated with an overlap.

Each version of the secret is the 32 bytes of an Ed25519 private key in base64. Its public key is
kept in a table before it signs anything, so that what it signed can be verified when the vault has
long disabled it.
"""

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.errors import RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import NoteError, SigningKey, VerifierKey
from shared.ports import Clock, Insert, Row, Secrets, SecretVersion, Tables
from shared.rows import Stored, from_values, to_values

SECRET: Final = "log-signing-key"  # noqa: S105 - the name of the secret, not the secret
OVERLAP: Final = timedelta(days=30)
"""How long an older version goes on signing beside its successor."""

_TABLE = "logkeys"

logger = logging.getLogger("vouchsafe.accesslog")


class PublicKey(Stored, frozen=True):
    """The public half of one version of the key; `public` is its 32 bytes in base64url."""

    version: str
    public: str
    created: datetime

    @property
    def raw(self) -> bytes:
        """The 32 bytes."""
        return base64.urlsafe_b64decode(self.public + "=")


def signing(versions: Sequence[SecretVersion], now: datetime) -> list[SecretVersion]:
    """The versions, given oldest first, that sign now, the newest first.

    Every new version leaves those before it 30 days, in which everybody learns of the new one. A
    version that is not to sign any more at once is disabled in the vault.
    """
    successors = [version.created for version in versions[1:]] + [now]
    live = [
        version
        for version, succeeded in zip(versions, successors, strict=True)
        if version is versions[-1] or now - succeeded < OVERLAP
    ]
    return live[::-1]


class LogKeys:
    """The signing keys of all logs of this stamp."""

    def __init__(self, secrets: Secrets, tables: Tables, clock: Clock) -> None:
        self._secrets = secrets
        self._tables = tables
        self._clock = clock
        self._kept: set[str] = set()

    async def signers(self, name: str) -> list[SigningKey]:
        """The keys to sign with under `name`, the newest first; their public halves are kept."""
        versions = await self._secrets.versions(SECRET)
        live = signing(versions, self._clock())
        for version in live:
            await self._keep(version)
        return [_signer(name, version) for version in live]

    async def published(self) -> list[PublicKey]:
        """The public keys of all versions that ever signed, or may now, oldest first."""
        for version in await self._secrets.versions(SECRET):
            await self._keep(version)
        rows = self._tables.scan(_TABLE, key(SECRET))
        found = [from_values(PublicKey, row.values) async for row in rows]
        return sorted(found, key=lambda one: (one.created, one.version))

    async def revoked(self) -> Mapping[str, datetime]:
        """The versions that the vault has disabled, so that they sign no more, and since when."""
        return await self._secrets.disabled(SECRET)

    async def verifiers(self, name: str) -> list[VerifierKey]:
        """The public keys under `name`, with which all that was ever signed can be verified."""
        keys = [VerifierKey(name, one.raw) for one in await self.published()]
        return list(dict.fromkeys(keys))

    async def _keep(self, version: SecretVersion) -> None:
        if version.version in self._kept:
            return
        public = base64.urlsafe_b64encode(_signer("-", version).verifier.public).decode()
        kept = PublicKey(
            version=version.version, public=public.rstrip("="), created=version.created
        )
        row = Row(key(SECRET), key(version.version), to_values(kept))
        try:
            await self._tables.commit(_TABLE, [Insert(row)])
        except RowConflictError:
            logger.debug("the public key of version %s is kept already", version.version)
        self._kept.add(version.version)


def _signer(name: str, version: SecretVersion) -> SigningKey:
    try:
        seed = base64.b64decode(version.value, validate=True)
        return SigningKey.of_seed(name, seed)
    except (binascii.Error, NoteError) as error:
        # The operator's to mend; what needs it waits until then.
        logger.error("version %s of %s is no Ed25519 key in base64", version.version, SECRET)  # noqa: TRY400 - the value must not be told
        raise UnavailableError("vault") from error
