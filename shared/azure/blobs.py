"""Azure Blob Storage through `azure-storage-blob`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import lru_cache
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
    BlobProperties,
    BlobSasPermissions,
    BlobType,
    ContentSettings,
    RehydratePriority,
    StandardBlobTier,
    StorageErrorCode,
    generate_blob_sas,
)
from azure.storage.blob.aio import (
    BlobClient,
    BlobLeaseClient,
    BlobServiceClient,
    StorageStreamDownloader,
)

from shared.azure.faults import as_unavailable, error_code
from shared.blob_names import has_dot_segment, is_valid_blob_name
from shared.catalogue import StoreGuard, allow_any
from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    InvalidInputError,
    UnavailableError,
)
from shared.ports import BlobInfo

CHUNK = 4 * 1024 * 1024
_COPY_POLL_SECONDS = 0.5
_CLIENTS = 256
# "Copy Blob", x-ms-copy-source: "a URL of up to 2 KiB in length".
_MAX_COPY_SOURCE = 2048
# The largest blob of one request, whose Content-MD5 the service checks ("Put Blob"). The service
# keeps the Content-MD5 of a blob in blocks as the uploader states it ("Put Block List").
_MAX_CHECKED_MD5 = 5000 * 1024**2
# The service names the source's condition; Azurite gives the general code.
_TARGET_TAKEN = {
    StorageErrorCode.BLOB_ALREADY_EXISTS,
    StorageErrorCode.PENDING_COPY_OPERATION,
    StorageErrorCode.TARGET_CONDITION_NOT_MET,
}
_ARCHIVED = {StorageErrorCode.BLOB_ARCHIVED, StorageErrorCode.BLOB_BEING_REHYDRATED}
_COLD = {StandardBlobTier.COOL, StandardBlobTier.COLD}
_SOURCE_CHANGED = {StorageErrorCode.SOURCE_CONDITION_NOT_MET, StorageErrorCode.CONDITION_NOT_MET}

logger = logging.getLogger("vouchsafe.blobs")


class AzureBlobs:
    """`shared.ports.Blobs` on a storage account. The first use creates a container of the app."""

    def __init__(self, connection_string: str, *, allow: StoreGuard = allow_any) -> None:
        """`allow` raises for the name of a container that must not be opened."""
        self._allow = allow
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
        # A client costs a tenth of a request, and a blob sees several requests.
        self._client = lru_cache(_CLIENTS)(self._new_client)
        # True until the account refuses tags.
        self._has_tags = True

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    def _new_client(self, container: str, name: str) -> BlobClient:
        """Make the client of a blob. Raises InvalidInputError for a name that no URL can have."""
        self._allow(container)
        if has_dot_segment(name):
            raise InvalidInputError(
                "blob-name-invalid",
                "A segment of the blob's name is . or .., and a URL cannot name the blob.",
                "Send the blob's own name.",
            )
        return self._service.get_blob_client(container, name)

    async def ensure_container(self, container: str) -> None:
        if container in self._known_containers:
            return
        self._allow(container)
        # An earlier call, or another instance, may have made the container.
        with as_unavailable("storage"), suppress(ResourceExistsError):
            await self._service.create_container(container)
        self._known_containers.add(container)

    async def head(self, container: str, name: str) -> BlobInfo | None:
        with as_unavailable("storage"):
            try:
                found = await self._client(container, name).get_blob_properties()
            except ResourceNotFoundError:
                return None
        return _info(container, name, found)

    @asynccontextmanager
    async def read(self, blob: BlobInfo) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._download(blob) as stream:
            yield stream.chunks()

    async def read_range(self, blob: BlobInfo, start: int, size: int) -> bytes:
        async with self._download(blob, start, size) as stream:
            return await stream.readall()

    @asynccontextmanager
    async def _download(
        self, blob: BlobInfo, start: int | None = None, size: int | None = None
    ) -> AsyncIterator[StorageStreamDownloader[bytes]]:
        client = self._client(blob.container, blob.name)
        with as_unavailable("storage"):
            try:
                yield await client.download_blob(
                    offset=start,
                    length=size,
                    etag=blob.etag,
                    match_condition=MatchConditions.IfNotModified,
                    # The uploader chooses the Content-Encoding; the stored bytes count.
                    decompress=False,
                )
            except (ResourceModifiedError, ResourceNotFoundError) as error:
                raise BlobChangedError(blob.container) from error
            except HttpResponseError as error:
                if error_code(error) in _ARCHIVED:
                    raise BlobArchivedError(blob.container) from error
                raise

    def locate(self, url: str) -> tuple[str | None, Sequence[str]]:
        account = self._service.url.rstrip("/") + "/"
        if not url.lower().startswith(account.lower()):
            return None, ()
        container, _, name = url[len(account) :].partition("/")
        names = dict.fromkeys((name, unquote(name)))
        return container, [one for one in names if 0 < len(one) <= 1024 and is_valid_blob_name(one)]

    async def write(self, container: str, name: str, data: bytes, content_type: str) -> bool:
        await self.ensure_container(container)
        with as_unavailable("storage"):
            try:
                await self._client(container, name).upload_blob(
                    data, content_settings=ContentSettings(content_type=content_type)
                )
            except ResourceExistsError:
                return False
        return True

    async def write_stream(
        self, container: str, name: str, chunks: AsyncIterator[bytes], content_type: str
    ) -> None:
        await self.ensure_container(container)
        with as_unavailable("storage"):
            # A stream of unknown length is sent in blocks of 4 MiB.
            await self._client(container, name).upload_blob(
                chunks,
                overwrite=True,
                max_concurrency=1,
                content_settings=ContentSettings(content_type=content_type),
            )

    async def copy(
        self,
        source: BlobInfo,
        container: str,
        name: str,
        metadata: Mapping[str, str],
        content_type: str,
        tags: Mapping[str, str] | None = None,
    ) -> bool:
        await self.ensure_container(container)
        wanted = dict(tags) if tags and self._has_tags else None
        with as_unavailable("storage"):
            try:
                if await self._copy(source, container, name, metadata, content_type, wanted):
                    return True
            except ResourceNotFoundError as error:
                raise BlobChangedError(source.container) from error
            except HttpResponseError as error:
                code = error_code(error)
                if code in _ARCHIVED:
                    raise BlobArchivedError(source.container) from error
                if wanted and error.status_code == 400:
                    return await self._copy_untagged(
                        source, container, name, metadata, content_type
                    )
                if code in _SOURCE_CHANGED:
                    raise BlobChangedError(source.container) from error
                if code not in _TARGET_TAKEN:
                    raise
                # An earlier attempt at the same copy may hold the name.
                taken = await self.head(container, name)
                if taken is None or taken.metadata != dict(metadata):
                    return False
        await self._finish_copy(container, name, content_type)
        return True

    async def _copy(
        self,
        source: BlobInfo,
        container: str,
        name: str,
        metadata: Mapping[str, str],
        content_type: str,
        tags: dict[str, str] | None,
    ) -> bool:
        """Begin the copy. Returns True for a finished copy with the right headers."""
        origin = self._client(source.container, source.name)
        target = self._client(container, name)
        if len(origin.url) <= _MAX_COPY_SOURCE:
            copied = await target.start_copy_from_url(
                origin.url,
                metadata=dict(metadata),
                source_etag=source.etag,
                source_match_condition=MatchConditions.IfNotModified,
                match_condition=MatchConditions.IfMissing,
                tags=tags,
                # A copy may take the tier of the source. Not every kind of account has tiers, and
                # a copy out of the archive takes hours.
                standard_blob_tier=StandardBlobTier.HOT if source.is_cold else None,
            )
            return copied["copy_status"] == "success" and source.plain_type == content_type
        # No header can name the source. Only a path that intake refuses is too long.
        async with self.read(source) as chunks:
            await target.upload_blob(
                # The SDK takes its own iterator for a synchronous iterator.
                (chunk async for chunk in chunks),
                length=source.size,
                metadata=dict(metadata),
                content_settings=ContentSettings(content_type=content_type),
                tags=tags,
                match_condition=MatchConditions.IfMissing,
            )
        return True

    async def _copy_untagged(
        self,
        source: BlobInfo,
        container: str,
        name: str,
        metadata: Mapping[str, str],
        content_type: str,
    ) -> bool:
        """Copy without tags, and remember an account that refuses tags.

        Accounts of an older kind, premium accounts, and accounts with a hierarchical namespace have
        no tags, and each refuses with a different code: "Manage and find Azure Blob data with blob
        index tags", learn.microsoft.com.
        """
        copied = await self.copy(source, container, name, metadata, content_type)
        logger.warning("the storage account has no blob index tags")
        self._has_tags = False
        return copied

    async def _finish_copy(self, container: str, name: str, content_type: str) -> None:
        """Wait for a server-side copy in the background, and replace the headers of its source.

        "Copy Blob" takes over every header of the source. No asset names the copy before the
        return, and an interrupted call is made again. Raises UnavailableError for a failed or
        aborted copy, so that the caller tries again.
        """
        client = self._client(container, name)
        while True:
            with as_unavailable("storage"):
                found = await client.get_blob_properties()
            if found.copy.status in (None, "success"):
                if _plain_type(found) == content_type:
                    return
                # Another delivery may be faster. "Set Blob Properties" clears every header that is
                # left out.
                with as_unavailable("storage"), suppress(ResourceModifiedError):
                    await client.set_http_headers(
                        ContentSettings(content_type=content_type),
                        etag=found.etag,
                        match_condition=MatchConditions.IfNotModified,
                    )
                continue
            if found.copy.status != "pending":
                # Another delivery may have seen the failure too, and have made a good copy since.
                await self.delete(container, name, found.etag)
                raise UnavailableError("storage")
            await asyncio.sleep(_COPY_POLL_SECONDS)

    async def delete(self, container: str, name: str, etag: str | None = None) -> None:
        condition: dict[str, Any] = {}
        if etag is not None:
            condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        client = self._client(container, name)
        with as_unavailable("storage"):
            try:
                try:
                    await client.delete_blob(delete_snapshots="include", **condition)
                except HttpResponseError as error:
                    if error_code(error) != StorageErrorCode.LEASE_ID_MISSING:
                        raise
                    # Whoever may upload in blocks may lease the blob too, and for ever.
                    await BlobLeaseClient(client).break_lease(lease_break_period=0)
                    await client.delete_blob(delete_snapshots="include", **condition)
            except (ResourceNotFoundError, ResourceModifiedError):
                return

    async def rehydrate(self, container: str, name: str) -> None:
        with as_unavailable("storage"):
            try:
                await self._client(container, name).set_standard_blob_tier(
                    StandardBlobTier.HOT, rehydrate_priority=RehydratePriority("High")
                )
            except HttpResponseError as error:
                if error_code(error) not in {*_ARCHIVED, StorageErrorCode.BLOB_NOT_FOUND}:
                    raise

    async def count(self, container: str, prefix: str, most: int) -> int:
        self._allow(container)
        client = self._service.get_container_client(container)
        pages = client.list_blob_names(name_starts_with=prefix, results_per_page=most).by_page()
        with as_unavailable("storage"):
            try:
                # The service may end a page early, at a boundary of partitions.
                counted = 0
                async for page in pages:
                    counted += len([name async for name in page])
                    if counted >= most:
                        break
            except ResourceNotFoundError:
                return 0
        return min(counted, most)

    async def scan(
        self, container: str, prefix: str = "", *, size: int | None = None
    ) -> AsyncIterator[BlobInfo]:
        self._allow(container)
        client = self._service.get_container_client(container)
        blobs = client.list_blobs(prefix or None, results_per_page=size)
        with as_unavailable("storage"):
            try:
                async for found in blobs:
                    yield _info(container, found.name, found)
            except ResourceNotFoundError:
                return

    def upload_url(self, container: str, name: str, expires: datetime, *, blocks: bool) -> str:
        permission = BlobSasPermissions(create=True, write=blocks)
        return self._signed(container, name, permission, expires, None)

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
        client = self._client(container, name)
        token = generate_blob_sas(
            str(client.account_name),
            container,
            name,
            account_key=client.credential.account_key,
            permission=permission,
            expiry=expires,
            content_disposition=disposition,
            cache_control="no-store" if permission.read else None,
        )
        return f"{client.url}?{token}"

    async def ping(self) -> None:
        with as_unavailable("storage"):
            await self._service.get_service_properties()


def _info(container: str, name: str, found: BlobProperties) -> BlobInfo:
    """Return the properties of a blob, of a HEAD or of a list."""
    return BlobInfo(
        container,
        name,
        # A list gives the ETag bare, and every header gives the ETag in quotes.
        f'"{found.etag.strip('"')}"',
        found.size,
        found.last_modified,
        {key.lower(): value for key, value in (found.metadata or {}).items()},
        _plain_type(found),
        not found.blob_tier_inferred and found.blob_tier in _COLD,
        found.blob_type == BlobType.BLOCKBLOB,
    )


def _plain_type(found: BlobProperties) -> str | None:
    """Return the Content-Type of a blob that has no other header of an uploader's; or None."""
    headers = found.content_settings
    others = (
        headers.content_encoding,
        headers.content_disposition,
        headers.content_language,
        headers.cache_control,
        headers.content_md5 if found.size > _MAX_CHECKED_MD5 else None,
    )
    return None if any(others) else headers.content_type
