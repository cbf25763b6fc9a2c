"""Entity-group transactions on the wire, written and read in one pass.

`TableClient.submit_transaction` makes a request object of every operation, writes the objects with
the standard library's e-mail package and reads the answers with the same package and `http.client`:
0.35 ms of processor time an operation, nine tenths of the cost of an append to the access log. This
module takes a tenth of the time, and sends through the same client's pipeline (signing, retries,
telemetry).

Source: "Performing entity group transactions" and "Payload format for Table service operations
(JSON)", learn.microsoft.com.
"""

import base64
import math
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.data.tables.aio import TableClient

from shared.ports import Delete, Insert, Merge, Operation, Replace, Row, Upsert, Value

_ACCEPTED: Final = 202
_BOUNDARY: Final = re.compile(rb"boundary=\"?(changesetresponse_[^\s\";]+)")
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
_ETAG: Final = re.compile(rb"\r\netag: *([^\r\n]+)", re.IGNORECASE)


class TransactionError(HttpResponseError):
    """The service refused a whole transaction.

    `error_code` is the service's, as in "Table service error codes"; `position` is the position of
    the refused operation, where the service tells.
    """

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code}")
        self.status_code = status
        self.error_code = code
        # The text is "<position>:<text>", and has no position where the whole transaction is
        # refused.
        position, colon, _ = text.partition(":")
        self.position = int(position) if colon and position.isdecimal() else None


@dataclass(frozen=True, slots=True)
class _Part:
    """The request of one operation."""

    method: str
    path: str
    headers: str
    entity: bytes


async def submit(client: TableClient, operations: Sequence[Operation]) -> Sequence[str | None]:
    """Run `operations` as a transaction. Returns the ETag of each row, None for a deleted row.

    Raises TransactionError when the service refuses the transaction, and the errors of the client's
    pipeline.
    """
    batch, changeset = f"batch_{uuid.uuid4()}", f"changeset_{uuid.uuid4()}"
    # The client has no public way to send a custom request through the pipeline.
    send, host = client._client.send_request, client._primary_hostname  # noqa: SLF001
    endpoint = f"{client.scheme}://{host}"
    request = HttpRequest(
        "POST",
        f"{endpoint}/$batch",
        headers={
            "x-ms-version": client.api_version,
            "DataServiceVersion": "3.0",
            "MaxDataServiceVersion": "3.0;NetFx",
            "Content-Type": f"multipart/mixed; boundary={batch}",
            "Accept": "application/json",
        },
        content=_encode(f"{endpoint}/{client.table_name}", batch, changeset, operations),
    )
    # Without a stream, the pipeline would read the answer as a document.
    response = await send(request, stream=True)
    body = await response.read()
    if response.status_code != _ACCEPTED:
        raise _refusal(response.status_code, body, response.headers.get("x-ms-error-code", ""))
    return _decode(body, len(operations))


def _encode(table: str, batch: str, changeset: str, operations: Sequence[Operation]) -> bytes:
    lines = [f"--{batch}\r\nContent-Type: multipart/mixed; boundary={changeset}\r\n\r\n".encode()]
    for position, operation in enumerate(operations):
        part = _part(table, operation)
        lines += [
            f"--{changeset}\r\n"
            "Content-Type: application/http\r\n"
            "Content-Transfer-Encoding: binary\r\n"
            f"Content-ID: {position}\r\n\r\n"
            f"{part.method} {part.path} HTTP/1.1\r\n"
            f"{_about(part.entity)}"
            "DataServiceVersion: 3.0\r\n"
            f"{part.headers}\r\n".encode(),
            part.entity,
            b"\r\n",
        ]
    lines.append(f"--{changeset}--\r\n\r\n--{batch}--\r\n".encode())
    return b"".join(lines)


def _part(table: str, operation: Operation) -> _Part:
    match operation:
        case Insert(row):
            # Otherwise the service answers with the whole entity.
            headers = (
                "Prefer: return-no-content\r\nAccept: application/json;odata=minimalmetadata\r\n"
            )
            return _Part("POST", table, headers, _entity(row))
        case Upsert(row):
            path = _path(table, row.partition, row.row)
            return _Part("PUT", path, "Accept: application/json\r\n", _entity(row))
        case Merge(row):
            path = _path(table, row.partition, row.row)
            return _Part("PATCH", path, "Accept: application/json\r\n", _entity(row))
        case Replace(row):
            path = _path(table, row.partition, row.row)
            headers = f"Accept: application/json\r\nIf-Match: {row.etag}\r\n"
            return _Part("PUT", path, headers, _entity(row))
        case Delete(partition, row_key, etag):
            headers = (
                f"Accept: application/json;odata=minimalmetadata\r\nIf-Match: {etag or '*'}\r\n"
            )
            return _Part("DELETE", _path(table, partition, row_key), headers, b"")


def _about(entity: bytes) -> str:
    """Return the headers of a part's body; no headers without a body, as for a deleted row."""
    if not entity:
        return ""
    return f"Content-Type: application/json\r\nContent-Length: {len(entity)}\r\n"


def _path(table: str, partition: str, row_key: str) -> str:
    # A quotation mark in a key is doubled.
    keys = [quote(key.replace("'", "''"), safe="") for key in (partition, row_key)]
    return f"{table}(PartitionKey='{keys[0]}',RowKey='{keys[1]}')"


def _entity(row: Row) -> bytes:
    entity: dict[str, Any] = {"PartitionKey": row.partition, "RowKey": row.row}
    for name, value in row.values.items():
        kind, entity[name] = _typed(value)
        if kind:
            entity[f"{name}@odata.type"] = kind
    return msgspec.json.encode(entity)


def _typed(value: Value) -> tuple[str | None, Any]:
    """Return a value in JSON, and the type where JSON does not tell."""
    match value:
        case str() | bool():
            return None, value
        case bytes():
            return "Edm.Binary", base64.b64encode(value).decode()
        case int():
            return "Edm.Int64", str(value)
        case float():
            finite = math.isfinite(value)
            return "Edm.Double", value if finite else str(value).replace("inf", "Infinity")


def _decode(body: bytes, count: int) -> Sequence[str | None]:
    """Read the ETags in the answers to the operations, or raise the error of the transaction."""
    boundary = _BOUNDARY.search(body)
    parts = body.split(b"--" + boundary[1])[1:-1] if boundary else []
    etags: list[str | None] = []
    for part in parts:
        status = _STATUS.search(part)
        if status is None or not 200 <= int(status[1]) < 300:
            raise _refusal(int(status[1]) if status else 500, part)
        etag = _ETAG.search(part)
        etags.append(etag[1].decode() if etag else None)
    if len(etags) != count:
        # The answer breaks the protocol: the outcome is not known.
        raise TransactionError(500, "InternalError", "")
    return etags


def _refusal(status: int, answer: bytes, code: str = "") -> TransactionError:
    """Read the JSON in an answer. `code` is the service's code where the answer has no JSON."""
    try:
        error = msgspec.json.decode(answer[answer.index(b"{") :].strip())["odata.error"]
        return TransactionError(status, str(error["code"]), str(error["message"]["value"]))
    except (ValueError, KeyError, TypeError):
        return TransactionError(status, code, "")
