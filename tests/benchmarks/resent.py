"""Requests to create that the SDK may send a second time.

When the answer to a request is lost, the Azure SDK sends the request again, and the service refuses
to create a second time ("already exists", 409). The first request was done then, if the service has
the content of this request. Any other content is an error and is raised.

Source: "Blob service error codes" and "Table service error codes", learn.microsoft.com.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableErrorCode, TableTransactionError
from azure.data.tables.aio import TableClient
from azure.storage.blob import BlobClient, ContentSettings
from azure.storage.blob.aio import BlobClient as AsyncBlobClient
from azure.storage.blob.aio import BlobServiceClient, ContainerClient


def create_file(blob: BlobClient, content: IO[bytes], stored: BlobClient | None = None) -> None:
    """Create a blob with the content of a file.

    `stored` is a client of the blob that may read, where `blob` may not. Raises
    ResourceExistsError for a blob with other content.
    """
    try:
        blob.upload_blob(content)
    except ResourceExistsError:
        content.seek(0)
        for chunk in (stored or blob).download_blob().chunks():
            if content.read(len(chunk)) != chunk:
                raise
        if content.read(1):
            raise


async def create_blob(
    container: ContainerClient, name: str, content: bytes, content_type: str | None = None
) -> None:
    """Create a blob. Raises ResourceExistsError for a blob with other content."""
    try:
        settings = ContentSettings(content_type=content_type) if content_type else None
        await container.upload_blob(name, content, content_settings=settings)
    except ResourceExistsError:
        stream = await container.get_blob_client(name).download_blob()
        if await stream.readall() != content:
            raise


async def create_container(service: BlobServiceClient, name: str) -> ContainerClient:
    """Create a container whose name nothing else uses."""
    with suppress(ResourceExistsError):
        await service.create_container(name)
    return service.get_container_client(name)


async def create_row(table: TableClient, row: dict[str, Any]) -> None:
    """Create an entity. Raises ResourceExistsError for an entity with other columns."""
    try:
        await table.create_entity(row)
    except ResourceExistsError:
        if not await _is_kept(table, row):
            raise


async def create_rows(table: TableClient, rows: Sequence[dict[str, Any]]) -> None:
    """Create entities in one transaction. Raises TableTransactionError for other columns."""
    try:
        await table.submit_transaction([("create", row) for row in rows])
    except TableTransactionError as error:
        # The SDK sets the attribute, and declares no attribute.
        code: object = getattr(error, "error_code", None)
        if code != TableErrorCode.ENTITY_ALREADY_EXISTS:
            raise
        for row in rows:
            if not await _is_kept(table, row):
                raise


async def delete_blob(blob: AsyncBlobClient) -> None:
    """Delete a blob with its snapshots; a missing blob was deleted by the first request."""
    with suppress(ResourceNotFoundError):
        await blob.delete_blob(delete_snapshots="include")


async def _is_kept(table: TableClient, row: dict[str, Any]) -> bool:
    """Tell whether the table has the entity with these columns; the service adds a timestamp."""
    try:
        return dict(await table.get_entity(row["PartitionKey"], row["RowKey"])) == row
    except ResourceNotFoundError:
        return False
