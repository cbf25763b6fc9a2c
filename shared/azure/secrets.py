"""Azure Key Vault secrets through `azure-keyvault-secrets`, with the app's managed identity."""

import time

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from shared.azure.faults import as_unavailable
from shared.errors import UnavailableError
from shared.ports import Secret

_KEEP_SECONDS = 300.0


class KeyVaultSecrets:
    """`shared.ports.Secrets` on one vault. A value is kept for five minutes, then read again."""

    def __init__(self, vault_url: str) -> None:
        self._credential = ManagedIdentityCredential()
        self._client = SecretClient(vault_url, self._credential)
        self._kept: dict[str, tuple[float, Secret]] = {}

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
            # A secret that is missing or forbidden is the operator's to mend; until then the
            # work that needs it waits.
            raise UnavailableError("vault") from error
        if found.value is None or found.properties.version is None:
            raise UnavailableError("vault")
        secret = Secret(found.value, found.properties.version)
        self._kept[name] = (time.monotonic(), secret)
        return secret

    async def ping(self) -> None:
        try:
            with as_unavailable("vault"):
                async for _ in self._client.list_properties_of_secrets(max_page_size=1):
                    return
        except (ClientAuthenticationError, HttpResponseError) as error:
            raise UnavailableError("vault") from error
