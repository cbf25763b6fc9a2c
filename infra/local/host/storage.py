"""What the host remembers: small blobs in ``azure-webjobs-hosts`` of the app's own account.

The container and the layout by host id are those of the Functions host, so that two apps can share
an account. One host at a time serves an app here: the leases by which several share its timers and
its blob listing in Azure have no part in a stack with one host.
"""

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from infra.local.host.refusals import RefusedError
from infra.local.host.settings import AppSettings

CONTAINER = "azure-webjobs-hosts"
CONNECTION = "AzureWebJobsStorage"
HOST_ID_SETTING = "AzureFunctionsWebHost__hostid"


def container_client(settings: AppSettings, connection: str, container: str) -> ContainerClient:
    """A client for a container of the account that a connection setting names.

    Raises RefusedError when the setting is missing or is no connection string.
    """
    text = settings.connection(connection)
    try:
        # Short waits between tries: the account is on this machine.
        return ContainerClient.from_connection_string(
            text,
            container,
            initial_backoff=0.2,
            increment_base=2,
            retry_total=4,
            random_jitter_range=0,
        )
    except ValueError as error:
        raise RefusedError(f"the connection setting {connection} is wrong: {error}") from None


def host_id(settings: AppSettings, folder: Path) -> str:
    """The app's own name in the account: the setting as in Azure, else one made of its path."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()
    return settings.get(HOST_ID_SETTING) or f"local-{digest[:16]}"


class HostStorage:
    """Named JSON documents, each a blob."""

    def __init__(self, client: ContainerClient, host: str) -> None:
        self._client = client
        self.host = host
        self._opened = False

    async def open(self) -> None:
        """Create the container when there is none; to be called before all else."""
        if self._opened:
            return
        with contextlib.suppress(ResourceExistsError):
            await self._client.create_container()
        self._opened = True

    async def read(self, name: str) -> dict[str, Any] | None:
        """The document; None when there is none."""
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
        """Write the document unless there is one already; whether this wrote it."""
        try:
            await self._client.upload_blob(name, json.dumps(document).encode())
        except ResourceExistsError:
            return False
        return True

    async def delete(self, name: str) -> None:
        """Delete the document if it is there."""
        with contextlib.suppress(ResourceNotFoundError):
            await self._client.delete_blob(name)

    async def names(self, prefix: str) -> AsyncIterator[str]:
        """The names of the documents that start with the prefix."""
        async for name in self._client.list_blob_names(name_starts_with=prefix):
            yield name

    async def close(self) -> None:
        """Close the connections to the account."""
        await self._client.close()
