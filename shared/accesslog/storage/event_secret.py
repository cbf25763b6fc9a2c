"""The secret of the events' rows: HMAC keys in the vault, and the key of each log."""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self

from shared.errors import UnavailableError
from shared.ports import Secrets, SecretVersion

SECRET: Final = "log-event-hmac"  # noqa: S105 - the name of the secret, not the secret

_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 8


class EventSecretError(UnavailableError):
    """The vault answers, and lacks the HMAC key of a log; an operator must mend the secret.

    Appends wait until then. `reason` says which key is missing, and completes a sentence about the
    secret.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("vault")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HmacKey:
    """An HMAC key, and the key's id: a digest that tells keys apart and reveals no key."""

    id: bytes
    value: bytes

    @classmethod
    def of(cls, value: bytes) -> Self:
        """Return the key with the id of `value`."""
        digest = hmac.digest(value, b"vouchsafe log-event-hmac id", hashlib.sha256)
        return cls(digest[:_ID_BYTES], value)


class EventSecret:
    """The HMAC keys under which the RowKeys of events are computed: the versions of a secret.

    The value of a version is 32 random bytes in base64. The head of a log names the log's key, and
    a new log takes the oldest enabled version. A new version of the secret therefore changes no
    RowKey. Under a different key a log would take every event for a new event, so a log whose key
    the vault does not have takes no entries. A process reads a key once.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._keys: dict[bytes | None, HmacKey] = {}

    async def key(self, identifier: bytes | None) -> HmacKey:
        """Return the key with the id; the key of a new log for None.

        Raises EventSecretError when no enabled version has the key, and UnavailableError("vault")
        when the vault does not answer.
        """
        async with self._lock:
            if identifier not in self._keys:
                key = await self._read(identifier)
                self._keys |= {identifier: key, key.id: key}
            return self._keys[identifier]

    async def verify(self, identifier: bytes | None) -> None:
        """Raise the errors of `key`, as a process would that has not read the key."""
        await self._read(identifier)

    async def _read(self, identifier: bytes | None) -> HmacKey:
        versions = await self._secrets.versions(SECRET)
        if not versions:
            raise EventSecretError("has no enabled version")
        if identifier is None:
            oldest = versions[0]
            key = _key_of(oldest)
            if key is None:
                reason = f"has a version that is no key of 32 bytes: {oldest.version}"
                raise EventSecretError(reason)
            return key
        for version in versions:
            key = _key_of(version)
            if key is not None and key.id == identifier:
                return key
        raise EventSecretError("has no enabled version with the key of a log")


def _key_of(version: SecretVersion) -> HmacKey | None:
    try:
        value = base64.b64decode(version.value, validate=True)
    except ValueError:
        return None
    return HmacKey.of(value) if len(value) >= _SECRET_BYTES else None
