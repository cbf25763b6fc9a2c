"""Sealed records: the texts in each asset's metadata, encrypted under the tenant's data key.

A record stands beside its asset's row, or in a blob where the record is too large for a row. Names
are compared when somebody asks, so a better comparison later needs no file again.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from shared.assets.rules import Asset
from shared.assets.service import METADATA, record_blob
from shared.errors import BlobChangedError, DataKeyError, SealError
from shared.metadata.parsing import READER
from shared.metadata.worker.result import MetadataText
from shared.ports import Blobs, DataKeys, Row, Value
from shared.subjects.notes import NOT_OPENED
from shared.subjects.sealing import seal, unseal

PATH: Final = "path"
"""The field of the file's own name with its folders."""

# Bytes of a sealed record in a row: a binary property has at most 64 KiB, and base64 on the way
# ("Understanding the Table service data model", learn.microsoft.com).
_MAX_IN_ROW: Final = 60_000
_BINARY: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Opened:
    """A record as read: the asset's id, its texts, and the note on unread metadata.

    `key` is the version of the data key that sealed the record; "" for texts of no record yet.
    """

    asset: str
    texts: Sequence[MetadataText]
    note: str | None
    key: str = ""


class Records:
    """Seals and opens the records of every tenant."""

    def __init__(self, blobs: Blobs, data_keys: DataKeys) -> None:
        self._blobs = blobs
        self._data_keys = data_keys

    async def seal(
        self,
        asset: Asset,
        texts: Sequence[MetadataText],
        note: str | None,
        version: str,
        reader: int = READER,
    ) -> Mapping[str, Value]:
        """Seal the texts of an asset, and the path. Returns the columns of the record's row.

        `version` names a blob of its own for a large record, and `reader` made the texts. Raises
        DataKeyError without a usable data key, and UnavailableError.
        """
        key = await self._data_keys.newest(asset.tenant)
        all_texts = [MetadataText(PATH, asset.path), *texts]
        columns: dict[str, Value] = {"key": key.version, "reader": reader}
        if note is not None:
            columns["note"] = note
        binding = _binding(asset.tenant, asset.id)
        sealed = await asyncio.to_thread(_sealed, key.key, all_texts, binding)
        if len(sealed) <= _MAX_IN_ROW:
            return columns | {"sealed": sealed}
        name = record_blob(asset.tenant, asset.id, version)
        await self._blobs.ensure_container(METADATA)
        await self._blobs.write_stream(METADATA, name, _once(sealed), _BINARY)
        return columns | {"blob": name}

    async def open(self, tenant: str, rows: Sequence[Row]) -> list[Opened]:
        """Open the records in `rows`. Raises UnavailableError.

        A record that cannot be opened has no texts, and the note NOT_OPENED.
        """
        keys = {str(row.values["key"]) for row in rows}
        found = dict(
            zip(keys, await asyncio.gather(*(self._key(tenant, one) for one in keys)), strict=True)
        )
        sealed = [await self._sealed(row) for row in rows]
        return await asyncio.to_thread(_open_all, tenant, rows, sealed, found)

    async def _key(self, tenant: str, version: str) -> bytes | None:
        try:
            return (await self._data_keys.version(tenant, version)).key
        except DataKeyError:
            return None

    async def _sealed(self, row: Row) -> bytes | None:
        """Return the sealed bytes of a record; None for a blob that is gone."""
        sealed = row.values.get("sealed")
        if isinstance(sealed, bytes):
            return sealed
        blob = await self._blobs.head(METADATA, str(row.values["blob"]))
        if blob is None:
            return None
        try:
            async with self._blobs.read(blob) as chunks:
                return b"".join([chunk async for chunk in chunks])
        except BlobChangedError:
            return None


def _sealed(key: bytes, texts: Sequence[MetadataText], binding: bytes) -> bytes:
    plain = msgspec.msgpack.encode([(one.field, one.text, one.readings) for one in texts])
    return seal(key, plain, binding)


def _open_all(
    tenant: str,
    rows: Sequence[Row],
    sealed: Sequence[bytes | None],
    keys: Mapping[str, bytes | None],
) -> list[Opened]:
    return [
        _opened(tenant, row, data, keys[str(row.values["key"])])
        for row, data in zip(rows, sealed, strict=True)
    ]


def _opened(tenant: str, row: Row, sealed: bytes | None, key: bytes | None) -> Opened:
    asset, version = row.row.rpartition("|")[2], str(row.values["key"])
    if sealed is None or key is None:
        return Opened(asset, (), NOT_OPENED, version)
    try:
        plain = unseal(key, sealed, _binding(tenant, asset))
        texts = msgspec.msgpack.decode(plain, type=list[tuple[str, str, tuple[str, ...]]])
    except (SealError, msgspec.DecodeError):
        return Opened(asset, (), NOT_OPENED, version)
    note = row.values.get("note")
    read = [MetadataText(*one) for one in texts]
    return Opened(asset, read, None if note is None else str(note), version)


def _binding(tenant: str, asset: str) -> bytes:
    return f"{tenant}\n{asset}".encode()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
