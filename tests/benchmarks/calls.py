"""The storage calls of a flow: counted in Azurite's access log, and made again by a bare loop.

A kind is a method, a subject and an answer. A look-up without a result is a kind
by itself, as the SDK raises an exception for the missing blob or row.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient
from azure.storage.blob.aio import ContainerClient

from infra.local.errors import StackError
from infra.local.settings import STORAGE_ACCOUNT
from tests.benchmarks.resent import create_rows, delete_blob

type Calls = Mapping[str, int]
"""The number of calls of each kind."""

# Calls that no photo causes: the making of containers and of tables (with the first row of a table,
# which is refused before), the host's own blobs, and the table `outbox` that the sweep reads.
_ONCE: Final = re.compile(
    r"restype=container|^\S+ Tables\b|^PUT \S+ 4|^\S+ azure-webjobs-|^\S+ outbox\b"
)
_LINE: Final = re.compile(rf'"(\w+) /{STORAGE_ACCOUNT}/(\S*) HTTP/[\d.]+" (\d)')
KINDS: Final = (
    "row GET",
    "blob HEAD",
    "row GET missing",
    "rows GET",
    "blob GET",
    "blob PUT",
    "row PUT",
    "transaction POST",
    "row DELETE",
    "blob HEAD missing",
    "blob DELETE",
)
"""The kinds of calls that the bare loop makes, in its order."""

# The columns of a row as large as the row of an asset.
_ROW: Final = {f"column{number:02}": "x" * 40 for number in range(16)}


def count(log: Path, start: int) -> Calls:
    """Count the calls in Azurite's access log from the byte `start` on, without the host's own.

    Raises StackError for a kind of call beyond `KINDS`.
    """
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode()
    calls = Counter(
        _kind(method, path, status)
        for method, path, status in _LINE.findall(lines)
        if not _ONCE.search(f"{method} {path} {status}")
    )
    if unknown := calls.keys() - set(KINDS):
        raise StackError(f"The bare loop cannot make these calls: {', '.join(sorted(unknown))}.")
    return calls


def share(calls: Calls, number: int, of: int) -> Calls:
    """Return the calls for photo `number` of `of`; the shares of all photos add up to `calls`."""
    return {
        kind: (number + 1) * total // of - number * total // of for kind, total in calls.items()
    }


def _kind(method: str, path: str, status: str) -> str:
    """Return a kind such as "blob HEAD", "blob HEAD missing", "row PUT" or "transaction POST"."""
    place, _, query = path.partition("?")
    # The second segment of a path is the name of a blob. The keys of a row are in brackets.
    if "/" in place:
        component = re.search(r"\bcomp=(\w+)", query)
        what = f"blob {component[1]}" if component else "blob"
    elif place == "$batch":
        what = "transaction"
    else:
        what = "row" if re.search(r"\(\S", place) and not place.endswith("()") else "rows"
    return f"{what} {method}{' missing' if status == '4' else ''}"


class Bare:
    """Make the calls with the SDK alone, in containers and a table of its own."""

    def __init__(
        self, source: ContainerClient, target: ContainerClient, table: TableClient
    ) -> None:
        self._source = source
        self._target = target
        self._table = table

    async def file(self, name: str, calls: Calls) -> None:
        """Make the calls for the upload `name`, in the order of `KINDS`."""
        for kind in KINDS:
            for number in range(calls.get(kind, 0)):
                if kind.startswith("blob"):
                    await self._on_blob(kind, name)
                else:
                    await self._on_rows(kind, f"{name} {number}")

    async def _on_blob(self, kind: str, name: str) -> None:
        upload = self._source.get_blob_client(name)
        match kind:
            case "blob HEAD":
                await upload.get_blob_properties()
            case "blob HEAD missing":
                await _missing(self._target.get_blob_client("none").get_blob_properties())
            case "blob GET":
                await (await upload.download_blob()).readall()
            case "blob PUT":
                copy = self._target.get_blob_client(name)
                await copy.start_copy_from_url(upload.url, metadata={"asset": "x" * 26})
            case "blob DELETE":
                await delete_blob(upload)

    async def _on_rows(self, kind: str, name: str) -> None:
        keys = {"PartitionKey": self._target.container_name, "RowKey": name}
        match kind:
            case "row GET":
                await self._table.get_entity("known", "known")
            case "row GET missing":
                await _missing(self._table.get_entity("known", "none"))
            case "rows GET":
                async for _ in self._table.query_entities("PartitionKey eq 'none'"):
                    pass
            case "row PUT":
                await self._table.upsert_entity(keys, UpdateMode.REPLACE)
            case "transaction POST":
                rows = [{**keys, "RowKey": f"{of} {name}", **_ROW} for of in ("asset", "outbox")]
                await create_rows(self._table, rows)
            case "row DELETE":
                await self._table.delete_entity(keys)


async def _missing(call: Awaitable[object]) -> None:
    try:
        await call
    except ResourceNotFoundError:
        return
    raise StackError("The bare loop found what should not be there.")
