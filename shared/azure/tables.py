"""Azure Table Storage through `azure-data-tables`."""

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.data.tables import EdmType, EntityProperty, TableErrorCode, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.azure.faults import as_unavailable
from shared.azure.transactions import submit
from shared.catalogue import StoreGuard, allow_any
from shared.errors import RowConflictError, foreign_continuation
from shared.ports import Condition, Operation, Page, Replace, Row, Upsert, Value

_CONFLICTS = {
    TableErrorCode.ENTITY_ALREADY_EXISTS,
    TableErrorCode.UPDATE_CONDITION_NOT_SATISFIED,
    TableErrorCode.CONDITION_NOT_MET,
    TableErrorCode.ENTITY_NOT_FOUND,
    TableErrorCode.RESOURCE_NOT_FOUND,
}

_BAD_REQUEST = 400
# Two keys of 512 characters, each three times as long when it is encoded.
_NEXT_KEY = re.compile("[!-~]{0,2048}")


class AzureTables:
    """`shared.ports.Tables` on a storage account. The first write creates a table."""

    def __init__(self, connection_string: str, *, allow: StoreGuard = allow_any) -> None:
        """`allow` raises for the name of a table that must not be opened."""
        self._allow = allow
        # With settings from the environment each request would look for a .netrc file and a proxy.
        self._service = TableServiceClient.from_connection_string(
            connection_string, connection_timeout=5, read_timeout=10, use_env_settings=False
        )
        self._clients: dict[str, TableClient] = {}

    def _client(self, table: str) -> TableClient:
        """Return the table's client; a new client for each request would cost too much."""
        if table not in self._clients:
            self._allow(table)
            self._clients[table] = self._service.get_table_client(table)
        return self._clients[table]

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        with as_unavailable("storage"):
            try:
                entity = await self._client(table).get_entity(partition, row)
            except ResourceNotFoundError:
                return None
        return _from_entity(entity)

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        with as_unavailable("storage"):
            try:
                return await self._submit(table, operations)
            except HttpResponseError as error:
                if getattr(error, "error_code", None) != TableErrorCode.TABLE_NOT_FOUND:
                    raise
            await self._create(table)
            return await self._submit(table, operations)

    async def _submit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        try:
            return await _send(self._client(table), operations)
        except HttpResponseError as error:
            if getattr(error, "error_code", None) in _CONFLICTS:
                position = 0 if len(operations) == 1 else getattr(error, "position", None)
                raise RowConflictError(table, position) from error
            raise

    async def _create(self, table: str) -> None:
        try:
            await self._service.create_table(table)
        except ResourceExistsError:
            return

    async def delete(self, table: str, partition: str, row: str) -> None:
        with as_unavailable("storage"):
            await self._client(table).delete_entity(partition, row)

    async def page(
        self,
        table: str,
        partition: str,
        *,
        prefix: str = "",
        size: int = 100,
        continuation: str | None = None,
        between: tuple[str, str] | None = None,
        where: Sequence[Condition] = (),
        columns: Sequence[str] = (),
    ) -> Page:
        start = _decode_continuation(continuation) if continuation else None
        bounds = between or (_bounds(prefix) if prefix else None)
        pages = self._query(table, partition, bounds, size, where, columns).by_page(start)
        with as_unavailable("storage"):
            try:
                rows = [_from_entity(entity) async for entity in await anext(pages)]
            except (ResourceNotFoundError, StopAsyncIteration):
                return Page([], None)
            except HttpResponseError as error:
                if start is not None and error.status_code == _BAD_REQUEST:
                    raise foreign_continuation() from error
                raise
        token = getattr(pages, "continuation_token", None)
        return Page(rows, _encode_continuation(token) if token else None)

    async def scan(
        self, table: str, partition: str, *, prefix: str = "", where: Sequence[Condition] = ()
    ) -> AsyncIterator[Row]:
        bounds = _bounds(prefix) if prefix else None
        with as_unavailable("storage"):
            try:
                async for row in _rows(self._query(table, partition, bounds, 1000, where)):
                    yield row
            except ResourceNotFoundError:
                return

    async def between(
        self, table: str, partition: str, first: str, last: str, *, size: int = 1000
    ) -> AsyncIterator[Row]:
        query = "PartitionKey eq @partition and RowKey ge @first and RowKey le @last"
        parameters = {"partition": partition, "first": first, "last": last}
        found = self._client(table).query_entities(
            query, parameters=parameters, results_per_page=size
        )
        with as_unavailable("storage"):
            try:
                async for row in _rows(found):
                    yield row
            except ResourceNotFoundError:
                return

    def _query(
        self,
        table: str,
        partition: str,
        bounds: tuple[str, str] | None,
        size: int,
        where: Sequence[Condition] = (),
        columns: Sequence[str] = (),
    ) -> Any:  # noqa: ANN401 - AsyncItemPaged[TableEntity], which the SDK leaves untyped
        query = "PartitionKey eq @partition"
        parameters: dict[str, Value] = {"partition": partition}
        if bounds:
            query += " and RowKey ge @first and RowKey lt @last"
            parameters |= {"first": bounds[0], "last": bounds[1]}
        for number, condition in enumerate(where):
            query += f" and {condition.column} {condition.comparison} @value{number}"
            parameters[f"value{number}"] = condition.value
        return self._client(table).query_entities(
            query,
            parameters=parameters,
            results_per_page=size,
            select=["PartitionKey", "RowKey", *columns] if columns else None,
        )


async def _send(client: TableClient, operations: Sequence[Operation]) -> Sequence[str | None]:
    """Send operations, and return the new ETag of each row."""
    match operations:
        # A single request costs less than half of a transaction with one operation. Only replacing
        # and upserting go alone: for a lone insert the SDK hides the reason of a conflict, and a
        # lone delete ignores a missing row.
        case [Upsert(row)]:
            answer = await client.upsert_entity(_to_entity(row), UpdateMode.REPLACE)
        case [Replace(row)]:
            answer = await client.update_entity(
                _to_entity(row),
                UpdateMode.REPLACE,
                etag=row.etag,
                match_condition=MatchConditions.IfNotModified,
            )
        case _:
            return await submit(client, operations)
    return [answer["etag"]]


async def _rows(found: Any) -> AsyncIterator[Row]:  # noqa: ANN401 - as of `_query`
    pages = found.by_page()
    try:
        async for page in pages:
            async for entity in page:
                yield _from_entity(entity)
    finally:
        # The SDK's iterator refers to itself. Of each query it would keep the last page, megabytes
        # perhaps, until the garbage collector comes by.
        vars(pages).clear()


def _bounds(prefix: str) -> tuple[str, str]:
    """Return the first RowKey that begins with `prefix`, and the first RowKey after the prefix."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _to_entity(row: Row) -> dict[str, Any]:
    entity: dict[str, Any] = {"PartitionKey": row.partition, "RowKey": row.row}
    for name, value in row.values.items():
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        entity[name] = EntityProperty(value, EdmType.INT64) if is_integer else value
    return entity


def _from_entity(entity: Any) -> Row:  # noqa: ANN401 - TableEntity is a dict of Any
    values: dict[str, Value] = {
        name: value.value if isinstance(value, EntityProperty) else value
        for name, value in entity.items()
        if name not in ("PartitionKey", "RowKey")
    }
    return Row(entity["PartitionKey"], entity["RowKey"], values, entity.metadata["etag"])


def _encode_continuation(token: Any) -> str:  # noqa: ANN401 - a dict or tuple by SDK version
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode().rstrip("=")


def _decode_continuation(token: str) -> Any:  # noqa: ANN401 - a dict or tuple by SDK version
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if not isinstance(value, dict) or set(value) != {"PartitionKey", "RowKey"}:
            raise ValueError(token)
        if not all(map(_is_next_key, value.values())):
            raise ValueError(token)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise foreign_continuation() from error
    return value


def _is_next_key(key: object) -> bool:
    """Tell whether `key` has the form of a continuation header: it becomes a part of a URL."""
    return key is None or (isinstance(key, str) and _NEXT_KEY.fullmatch(key) is not None)
