"""The tenants' data keys in a Key Vault of their own, with the app's managed identity.

The secret `tenant-{id}` keeps a tenant's data key: each version is 32 random bytes in base64.
"""

import asyncio
import base64
import binascii
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets import DeletedSecret, KeyVaultSecret, SecretProperties
from azure.keyvault.secrets.aio import SecretClient

from shared.azure.faults import as_unavailable
from shared.errors import DataKeyError, DataKeyFault, UnavailableError
from shared.ports import DataKey

_SERVICE = "data-key-vault"
_CONTENT_TYPE = "AES-256 key, base64"
_KEY_BYTES = 32
_KEEP_SECONDS = 300.0
# The answers that an instance keeps, the latest: about 200 bytes each.
_KEEP_ANSWERS = 10_000
# "object-version: a system-generated, 32 character string identifier": Azure Key Vault keys,
# secrets, and certificates overview, learn.microsoft.com. An empty version is the newest version.
_VERSION = re.compile("[0-9A-Za-z]{32}")
# The vault's codes, "Azure Key Vault REST API error codes" and "Azure Key Vault soft-delete
# overview", learn.microsoft.com. Any other 404 is of a proxy or a wrong address.
_NOT_FOUND = "SecretNotFound"
_FAULTS: Mapping[str | None, DataKeyFault] = {
    _NOT_FOUND: "destroyed",
    "ObjectIsDeletedButRecoverable": "destroyed",
    "ObjectIsBeingDeleted": "destroyed",
    "SecretDisabled": "disabled",
}

# `newest` asks for a tenant, `version` for a version of a tenant.
type _Question = tuple[str, str | None]
type _Answer = DataKey | DataKeyFault
type _Read = Callable[[], Coroutine[None, None, DataKey]]


class KeyVaultDataKeys:
    """`shared.ports.DataKeys` on a vault.

    An answer is kept for five minutes, and simultaneous questions for a key are one request. A
    refusal is an answer: records under a destroyed key do not ask the vault each.

    `credential` replaces the managed identity, and `options` are of the SDK's client. `clock` gives
    seconds.
    """

    def __init__(
        self,
        vault_url: str,
        credential: AsyncTokenCredential | None = None,
        clock: Callable[[], float] = time.monotonic,
        **options: object,
    ) -> None:
        self._credential = credential or ManagedIdentityCredential()
        self._client = SecretClient(vault_url, self._credential, **options)
        self._clock = clock
        self._kept: OrderedDict[_Question, tuple[float, _Answer]] = OrderedDict()
        self._asking: dict[_Question, asyncio.Task[_Answer]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._credential.close()

    async def newest(self, tenant: str) -> DataKey:
        return await self._key(tenant, None, lambda: self._read_newest(tenant))

    async def version(self, tenant: str, version: str) -> DataKey:
        if not _VERSION.fullmatch(version):
            raise DataKeyError(tenant, "destroyed")
        return await self._key(tenant, version, lambda: self._read(tenant, version))

    async def destroy(self, tenant: str) -> datetime | None:
        try:
            with as_unavailable(_SERVICE):
                deleted = await self._delete(_name(tenant))
        except (ClientAuthenticationError, HttpResponseError) as error:
            if _code(error) == _NOT_FOUND:
                return None
            raise UnavailableError(_SERVICE) from error
        finally:
            for question in [question for question in self._kept if question[0] == tenant]:
                del self._kept[question]
        return deleted.scheduled_purge_date

    async def ping(self) -> None:
        try:
            with as_unavailable(_SERVICE):
                pages = self._client.list_properties_of_secrets(max_page_size=1).by_page()
                async for _ in pages:
                    break
        except (ClientAuthenticationError, HttpResponseError) as error:
            raise UnavailableError(_SERVICE) from error

    async def _key(self, tenant: str, version: str | None, read: _Read) -> DataKey:
        question = tenant, version
        kept = self._kept.get(question)
        if kept is not None and self._clock() - kept[0] < _KEEP_SECONDS:
            answer = kept[1]
        else:
            answer = await self._ask_once(question, read)
        if isinstance(answer, DataKey):
            return answer
        raise DataKeyError(tenant, answer)

    async def _ask_once(self, question: _Question, read: _Read) -> _Answer:
        """Return the answer of `read`, which simultaneous callers share."""
        asking = self._asking.get(question)
        if asking is None:
            asking = asyncio.create_task(self._ask(question, read))
            self._asking[question] = asking
            asking.add_done_callback(lambda _: self._asking.pop(question))
        # A caller that goes away takes no answer from the remaining callers.
        return await asyncio.shield(asking)

    async def _ask(self, question: _Question, read: _Read) -> _Answer:
        asked_at = self._clock()
        answer: _Answer
        try:
            with as_unavailable(_SERVICE):
                answer = await read()
        except DataKeyError as error:
            answer = error.reason
        except (ClientAuthenticationError, HttpResponseError) as error:
            fault = _fault(error)
            if fault is None:
                # An operator must mend a missing role; the work waits until then.
                raise UnavailableError(_SERVICE) from error
            answer = fault
        self._keep(question, asked_at, answer)
        if isinstance(answer, DataKey):
            self._keep((question[0], answer.version), asked_at, answer)
        return answer

    def _keep(self, question: _Question, asked_at: float, answer: _Answer) -> None:
        self._kept[question] = asked_at, answer
        self._kept.move_to_end(question)
        while len(self._kept) > _KEEP_ANSWERS:
            self._kept.popitem(last=False)

    async def _read(self, tenant: str, version: str) -> DataKey:
        found = await self._client.get_secret(_name(tenant), version)
        if not _in_force(found.properties, datetime.now(UTC)):
            raise DataKeyError(tenant, "not-in-force")
        return _data_key(tenant, found)

    async def _read_newest(self, tenant: str) -> DataKey:
        try:
            found = await self._client.get_secret(_name(tenant))
        except HttpResponseError as error:
            fault = _fault(error)
            if fault == "destroyed":
                # The vault refuses the name of a key that can still be recovered.
                return await self._make(tenant)
            if fault != "disabled":
                raise
        else:
            if _in_force(found.properties, datetime.now(UTC)):
                return _data_key(tenant, found)
        return await self._read_newest_in_force(tenant)

    async def _delete(self, name: str) -> DeletedSecret:
        try:
            return await self._client.delete_secret(name)
        except HttpResponseError as error:
            # A deletion under way has no day yet: the caller comes back.
            if _code(error) != _NOT_FOUND:
                raise
        return await self._client.get_deleted_secret(name)

    async def _make(self, tenant: str) -> DataKey:
        value = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
        made = await self._client.set_secret(_name(tenant), value, content_type=_CONTENT_TYPE)
        return _data_key(tenant, made)

    async def _read_newest_in_force(self, tenant: str) -> DataKey:
        """Return the newest version in force of a tenant whose newest version is not in force."""
        now = datetime.now(UTC)
        versions = self._client.list_properties_of_secret_versions(_name(tenant))
        enabled = [each async for each in versions if each.enabled]
        in_force = [each for each in enabled if _in_force(each, now)]
        if not in_force:
            raise DataKeyError(tenant, "not-in-force" if enabled else "disabled")
        newest = max(in_force, key=lambda each: (each.created_on or now, each.version or ""))
        return await self._read(tenant, newest.version or "")


def _name(tenant: str) -> str:
    return f"tenant-{tenant}"


def _in_force(version: SecretProperties, now: datetime) -> bool:
    """Tell whether `now` is in the validity period of a version, which Key Vault does not check."""
    begun = version.not_before is None or version.not_before <= now
    return begun and (version.expires_on is None or now < version.expires_on)


def _data_key(tenant: str, secret: KeyVaultSecret) -> DataKey:
    try:
        key = base64.b64decode(secret.value or "", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES or not secret.properties.version:
        raise DataKeyError(tenant, "malformed")
    return DataKey(key, secret.properties.version)


def _fault(error: HttpResponseError) -> DataKeyFault | None:
    """Return the fault of the key that the vault's answer tells; None for any other answer."""
    return _FAULTS.get(_code(error))


def _code(error: HttpResponseError) -> str | None:
    """Return the innermost code of the vault's answer; None where the answer has none."""
    if error.error is None:
        return None
    inner = error.error.innererror
    return inner.get("code") if inner else error.error.code
