"""Azure Blob Storage through `azure-storage-blob`."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobSasPermissions,
    ContentSettings,
    StorageErrorCode,
    generate_blob_sas,
)
from azure.storage.blob.aio import BlobServiceClient

from shared.azure.faults import as_unavailable
from shared.errors import BlobChangedError, UnavailableError
from shared.ports import BlobInfo

CHUNK = 4 * 1024 * 1024
_COPY_POLL_SECONDS = 0.5
# The service names the source's condition; Azurite answers as for any other.
_TARGET_TAKEN = {
    StorageErrorCode.BLOB_ALREADY_EXISTS,
    StorageErrorCode.PENDING_COPY_OPERATION,
    StorageErrorCode.TARGET_CONDITION_NOT_MET,
}
_SOURCE_CHANGED = {StorageErrorCode.SOURCE_CONDITION_NOT_MET, StorageErrorCode.CONDITION_NOT_MET}


class AzureBlobs:
    """`shared.ports.Blobs` on one storage account. Our containers are created when first used."""

    def __init__(self, connection_string: str) -> None:
        # Without these limits the SDK fetches the first 32 MiB of a blob in one piece. Settings of
        # the environment would have each request look for a .netrc file and a proxy.
        self._service = BlobServiceClient.from_connection_string(
            connection_string,
            max_single_get_size=CHUNK,
            max_chunk_get_size=CHUNK,
            connection_timeout=5,
            read_timeout=20,
            use_env_settings=False,
        )
        self._known_containers: set[str] = set()

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def ensure_container(self, container: str) -> None:
        if container in self._known_containers:
            return
        # It may have been made by an earlier call or by another instance.
        with as_unavailable("storage"), suppress(ResourceExistsError):
            await self._service.create_container(container)
        self._known_containers.add(container)

    async def head(self, container: str, name: str) -> BlobInfo | None:
        with as_unavailable("storage"):
            try:
                found = await self._service.get_blob_client(container, name).get_blob_properties()
            except ResourceNotFoundError:
                return None
        return BlobInfo(
            container, name, found.etag, found.size, found.last_modified, dict(found.metadata or {})
        )

    @asynccontextmanager
    async def read(self, blob: BlobInfo) -> AsyncIterator[AsyncIterator[bytes]]:
        client = self._service.get_blob_client(blob.container, blob.name)
        with as_unavailable("storage"):
            try:
                stream = await client.download_blob(
                    etag=blob.etag, match_condition=MatchConditions.IfNotModified
                )
                yield stream.chunks()
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                raise BlobChangedError(blob.container) from error

    def locate(self, url: str) -> tuple[str | None, Sequence[str]]:
        account = self._service.url.rstrip("/") + "/"
        if not url.lower().startswith(account.lower()):
            return None, ()
        container, _, name = url[len(account) :].partition("/")
        names = dict.fromkeys((name, unquote(name)))
        return container, [one for one in names if 0 < len(one) <= 1024 and one.isprintable()]

    async def write(self, container: str, name: str, data: bytes, content_type: str) -> None:
        await self.ensure_container(container)
        with as_unavailable("storage"):
            try:
                await self._service.get_blob_client(container, name).upload_blob(
                    data, content_settings=ContentSettings(content_type=content_type)
                )
            except ResourceExistsError:
                return

    async def copy(
        self, source: BlobInfo, container: str, name: str, metadata: Mapping[str, str]
    ) -> bool:
        await self.ensure_container(container)
        target = self._service.get_blob_client(container, name)
        origin = self._service.get_blob_client(source.container, source.name)
        with as_unavailable("storage"):
            try:
                copied = await target.start_copy_from_url(
                    origin.url,
                    metadata=dict(metadata),
                    source_etag=source.etag,
                    source_match_condition=MatchConditions.IfNotModified,
                    match_condition=MatchConditions.IfMissing,
                )
                if copied["copy_status"] == "success":
                    return True
            except ResourceNotFoundError as error:
                raise BlobChangedError(source.container) from error
            except HttpResponseError as error:
                code = getattr(error, "error_code", None)
                if code in _SOURCE_CHANGED:
                    raise BlobChangedError(source.container) from error
                if code not in _TARGET_TAKEN:
                    raise
                # Perhaps by an earlier attempt at this very copy.
                taken = await self.head(container, name)
                if taken is None or taken.metadata != dict(metadata):
                    return False
        await self._finish_copy(container, name)
        return True

    async def _finish_copy(self, container: str, name: str) -> None:
        """Wait for a server-side copy that the service carries out in the background.

        Raises UnavailableError when the copy failed or was aborted, so that it is tried again.
        """
        client = self._service.get_blob_client(container, name)
        while True:
            with as_unavailable("storage"):
                found = await client.get_blob_properties()
            if found.copy.status in (None, "success"):
                return
            if found.copy.status != "pending":
                # Another delivery may have seen it too, and have made a good copy since.
                await self.delete(container, name, found.etag)
                raise UnavailableError("storage")
            await asyncio.sleep(_COPY_POLL_SECONDS)

    async def delete(self, container: str, name: str, etag: str | None = None) -> None:
        condition: dict[str, Any] = {}
        if etag is not None:
            condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        with as_unavailable("storage"):
            try:
                await self._service.get_blob_client(container, name).delete_blob(
                    delete_snapshots="include", **condition
                )
            except (ResourceNotFoundError, ResourceModifiedError):
                return

    def upload_url(self, container: str, name: str, expires: datetime) -> str:
        return self._signed(container, name, BlobSasPermissions(create=True), expires, None)

    def read_url(self, container: str, name: str, expires: datetime, filename: str) -> str:
        # RFC 6266 section 4.3: the extended form carries any file name.
        disposition = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        return self._signed(container, name, BlobSasPermissions(read=True), expires, disposition)

    def _signed(
        self,
        container: str,
        name: str,
        permission: BlobSasPermissions,
        expires: datetime,
        disposition: str | None,
    ) -> str:
        client = self._service.get_blob_client(container, name)
        token = generate_blob_sas(
            str(client.account_name),
            container,
            name,
            account_key=client.credential.account_key,
            permission=permission,
            expiry=expires,
            content_disposition=disposition,
        )
        return f"{client.url}?{token}"

    async def ping(self) -> None:
        with as_unavailable("storage"):
            await self._service.get_service_properties()
