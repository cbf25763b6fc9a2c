"""The host's records: small blobs in ``azure-webjobs-hosts`` of the app's own account.

The container and the layout by host id are the Functions host's, so two apps can share an account.
In Azure several hosts share an app's timers and blob listing by leases. A local stack has one host
for each app, and therefore no leases.
"""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables.aio import TableClient
from azure.storage.blob.aio import ContainerClient

from infra.local.host.errors import StartupError
from infra.local.host.settings import AppSettings

CONTAINER = "azure-webjobs-hosts"
CONNECTION = "AzureWebJobsStorage"
HOST_ID_SETTING = "AzureFunctionsWebHost__hostid"


def container_client(settings: AppSettings, connection: str, container: str) -> ContainerClient:
    """Return a client for a container of the account that a connection setting names.

    Raises StartupError when the setting is missing or is no connection string.
    """
    text = settings.connection(connection)
    try:
        # Short waits between attempts: the account is on this machine.
        return ContainerClient.from_connection_string(
            text,
            container,
            initial_backoff=0.2,
            increment_base=2,
            retry_total=4,
            random_jitter_range=0,
        )
    except ValueError as error:
        raise StartupError(f"the connection setting {connection} is wrong: {error}") from None


def table_client(settings: AppSettings, connection: str, table: str) -> TableClient:
    """Return a client for a table of the account that a connection setting names.

    Raises StartupError when the setting is missing or is no connection string.
    """
    text = settings.connection(connection)
    try:
        return TableClient.from_connection_string(
            text, table, retry_backoff_factor=0.1, retry_total=4
        )
    except ValueError as error:
        raise StartupError(f"the connection setting {connection} is wrong: {error}") from None


def host_id(settings: AppSettings, folder: Path) -> str:
    """Return the app's name in the account: the setting, else a hash of the app's path."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()
    return settings.get(HOST_ID_SETTING) or f"local-{digest[:16]}"


class HostStorage:
    """Named JSON documents, each a blob."""

    def __init__(self, client: ContainerClient, host: str) -> None:
        self._client = client
        self.host = host
        self._opened = False

    async def open(self) -> None:
        """Create the container when missing. Call before every other method."""
        if self._opened:
            return
        with contextlib.suppress(ResourceExistsError):
            await self._client.create_container()
        self._opened = True

    async def read(self, name: str) -> dict[str, Any] | None:
        """Return the document; None for a missing document."""
        try:
            download = await self._client.download_blob(name)
        except ResourceNotFoundError:
            return None
        document: dict[str, Any] = json.loads(await download.readall())
        return document

    async def write(self, name: str, document: dict[str, Any]) -> None:
        """Create or replace the document."""
        await self._client.upload_blob(name, json.dumps(document).encode(), overwrite=True)

    async def create(self, name: str, document: dict[str, Any]) -> bool:
        """Write the document unless the name is taken. Return True after writing."""
        try:
            await self._client.upload_blob(name, json.dumps(document).encode())
        except ResourceExistsError:
            return False
        return True

    async def delete(self, name: str) -> None:
        """Delete the document if present."""
        with contextlib.suppress(ResourceNotFoundError):
            await self._client.delete_blob(name)

    async def names(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names of the documents that start with the prefix."""
        async for name in self._client.list_blob_names(name_starts_with=prefix):
            yield name

    async def close(self) -> None:
        """Close the connections to the account."""
        await self._client.close()
