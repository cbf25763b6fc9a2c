"""Sealed parts of an erasure request: the identifiers, and the paths of approved assets."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Final

import msgspec

from shared.erasures.rules import Erasure, Sealed
from shared.errors import ConflictError, DataKeyError, SealError, UnavailableError
from shared.idempotency import key_reused
from shared.ids import rfc3339
from shared.incidents import Incidents
from shared.ports import Clock, DataKeys
from shared.subjects.incidents import data_key_unusable
from shared.subjects.matching import Matcher
from shared.subjects.sealing import seal, unseal

_DATA_KEY: Final = "data-key"


class ErasureSeals:
    """Seals and opens what an erasure request keeps of people, under each tenant's data key."""

    def __init__(self, data_keys: DataKeys, incidents: Incidents, clock: Clock) -> None:
        self._data_keys = data_keys
        self._incidents = incidents
        self._clock = clock

    async def seal(self, tenant: str, request: str, texts: Sequence[str]) -> Sealed:
        """Seal texts of a request under the tenant's newest data key.

        Raises UnavailableError without a usable data key.
        """
        try:
            key = await self._data_keys.newest(tenant)
        except DataKeyError as error:
            await self.report(tenant)
            raise UnavailableError(_DATA_KEY) from error
        sealed = seal(key.key, msgspec.json.encode(texts), _binding(tenant, request))
        return Sealed(base64.b64encode(sealed).decode(), key.version)

    async def open(self, tenant: str, request: str, sealed: Sealed) -> list[str]:
        """Open sealed texts of a request. Raises UnavailableError without the data key."""
        try:
            key = await self._data_keys.version(tenant, sealed.key)
            plain = unseal(key.key, base64.b64decode(sealed.text), _binding(tenant, request))
        except (DataKeyError, SealError) as error:
            await self.report(tenant)
            raise UnavailableError(_DATA_KEY) from error
        return msgspec.json.decode(plain, type=list[str])

    async def matcher(self, state: Erasure) -> Matcher:
        """Return the matcher of a request. Raises UnavailableError without the data key."""
        return await asyncio.to_thread(Matcher, await self._identifiers(state))

    async def matcher_to_show(self, state: Erasure) -> Matcher:
        """Return the matcher of a request whose evidence is to be shown.

        Raises ConflictError without the data key, and UnavailableError where the vault does not
        answer.
        """
        try:
            return await self.matcher(state)
        except UnavailableError as error:
            if error.service != _DATA_KEY:
                raise
            raise ConflictError(
                "data-key-unusable",
                "The data key is destroyed, disabled or wrong: no evidence can be shown.",
                "Ask the vendor to restore the key, and read the finds again. Of a key that stays"
                " lost, open a new request.",
            ) from error

    async def is_usable(self, tenant: str, version: str) -> bool:
        """Tell whether a version of the data key can be used. Raises UnavailableError."""
        try:
            await self._data_keys.version(tenant, version)
        except DataKeyError:
            await self.report(tenant)
            return False
        return True

    async def require_same(self, state: Erasure, identifiers: Sequence[str]) -> None:
        """Raise InvalidInputError where a repeated request has other identifiers.

        The Idempotency-Key of a request keeps nothing of the body, because a hash of a name can be
        guessed. A completed request has no identifiers to compare.
        """
        if state.identifiers is None:
            return
        if await self._identifiers(state) != list(identifiers):
            raise key_reused()

    async def report(self, tenant: str) -> None:
        """Open an incident, once a tenant and day, for what cannot be opened."""
        once = rfc3339(self._clock())[:10]
        await self._incidents.open_once(data_key_unusable(tenant), once=once)

    async def _identifiers(self, state: Erasure) -> list[str]:
        if state.identifiers is None or state.identifiers_key is None:
            raise UnavailableError(_DATA_KEY)
        sealed = Sealed(state.identifiers, state.identifiers_key)
        return await self.open(state.tenant, state.id, sealed)


def _binding(tenant: str, request: str) -> bytes:
    return f"erasure\n{tenant}\n{request}".encode()
