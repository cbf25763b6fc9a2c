"""Azure Key Vault secrets through `azure-keyvault-secrets`, with the app's managed identity."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from shared.azure.faults import as_unavailable
from shared.errors import UnavailableError
from shared.ports import Secret, SecretVersion

_KEEP_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Versions:
    """The versions of a secret: those in force, and when each of the disabled was changed last."""

    live: list[SecretVersion] = field(default_factory=list)
    disabled: dict[str, datetime] = field(default_factory=dict)


class KeyVaultSecrets:
    """`shared.ports.Secrets` on a vault. A read secret is kept for five minutes."""

    def __init__(self, vault_url: str) -> None:
        self._credential = ManagedIdentityCredential()
        self._client = SecretClient(vault_url, self._credential)
        self._kept: dict[str, tuple[float, Secret]] = {}
        self._kept_versions: dict[str, tuple[float, _Versions]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._credential.close()

    async def get(self, name: str) -> Secret:
        read_at, kept = self._kept.get(name, (0.0, None))
        if kept is not None and time.monotonic() - read_at < _KEEP_SECONDS:
            return kept
        try:
            with as_unavailable("vault"):
                found = await self._client.get_secret(name)
        except (ClientAuthenticationError, HttpResponseError) as error:
            # An operator must mend a missing or forbidden secret; the work waits until then.
            raise UnavailableError("vault") from error
        if found.value is None or found.properties.version is None:
            raise UnavailableError("vault")
        secret = Secret(found.value, found.properties.version)
        self._kept[name] = (time.monotonic(), secret)
        return secret

    async def versions(self, name: str) -> Sequence[SecretVersion]:
        return (await self._versions(name)).live

    async def disabled(self, name: str) -> Mapping[str, datetime]:
        return (await self._versions(name)).disabled

    async def _versions(self, name: str) -> _Versions:
        read_at, kept = self._kept_versions.get(name, (0.0, None))
        if kept is not None and time.monotonic() - read_at < _KEEP_SECONDS:
            return kept
        try:
            with as_unavailable("vault"):
                found = await self._read_versions(name, datetime.now(UTC))
        except ResourceNotFoundError:
            found = _Versions()
        except (ClientAuthenticationError, HttpResponseError) as error:
            raise UnavailableError("vault") from error
        if found.live or found.disabled:
            self._kept_versions[name] = (time.monotonic(), found)
        return found

    async def _read_versions(self, name: str, now: datetime) -> _Versions:
        found = _Versions()
        async for version in self._client.list_properties_of_secret_versions(name):
            begun = version.not_before is None or version.not_before <= now
            ended = version.expires_on is not None and version.expires_on <= now
            if not version.enabled and version.version and version.updated_on:
                found.disabled[version.version] = version.updated_on
            if not version.enabled or not begun or ended:
                continue
            secret = await self._client.get_secret(name, version.version)
            if secret.value is not None and version.version and version.created_on is not None:
                live = SecretVersion(secret.value, version.version, version.created_on)
                found.live.append(live)
        found.live.sort(key=lambda one: (one.created, one.version))
        return found

    async def ping(self, needed: Sequence[str]) -> None:
        try:
            with as_unavailable("vault"):
                enabled = await asyncio.gather(*map(self._is_enabled, needed))
        except (ClientAuthenticationError, HttpResponseError) as error:
            raise UnavailableError("vault") from error
        if not all(enabled):
            raise UnavailableError("vault")

    async def _is_enabled(self, name: str) -> bool:
        """Ask the vault, and not what is kept, for an enabled version in force."""
        now = datetime.now(UTC)
        async for version in self._client.list_properties_of_secret_versions(name):
            begun = version.not_before is None or version.not_before <= now
            ended = version.expires_on is not None and version.expires_on <= now
            if version.enabled and begun and not ended:
                return True
        return False
