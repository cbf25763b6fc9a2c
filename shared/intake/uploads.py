"""Uploads: the record of each permitted upload, kept until the upload is filed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from shared.catalogue import UPLOADS_TABLE
from shared.errors import RowConflictError
from shared.ids import first_id, key
from shared.intake.rules import Upload
from shared.ports import Replace, Row, Tables, Upsert
from shared.rows import from_values, to_values

_TABLE = UPLOADS_TABLE.name
# Operations in one entity-group transaction: "Performing entity group transactions".
_TRANSACTION = 100
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class KeptUpload:
    """A record as read, with the ETag that tells a later record."""

    upload: Upload
    etag: str | None


class Uploads:
    """The records of every tenant: PartitionKey the tenant, RowKey the upload's id."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def keep(self, tenant: str, uploads: Sequence[Upload]) -> None:
        """Store the records of permitted uploads; a repeated request replaces its own records."""
        rows = [Upsert(Row(key(tenant), _row(one.id), to_values(one))) for one in uploads]
        pieces = [rows[at : at + _TRANSACTION] for at in range(0, len(rows), _TRANSACTION)]
        await asyncio.gather(*(self._tables.commit(_TABLE, piece) for piece in pieces))

    async def find(self, tenant: str, upload: str) -> KeptUpload | None:
        """Return the record of an upload, or None."""
        row = await self._tables.get(_TABLE, key(tenant), _row(upload))
        return None if row is None else KeptUpload(from_values(Upload, row.values), row.etag)

    async def mark_scanning(self, tenant: str, kept: KeptUpload, now: datetime) -> None:
        """Record that the scan of an upload has begun, unless the record has changed or is gone."""
        begun = msgspec.structs.replace(kept.upload, scanning_since=now)
        row = Row(key(tenant), _row(begun.id), to_values(begun), kept.etag)
        try:
            await self._tables.commit(_TABLE, [Replace(row)])
        except RowConflictError:
            return

    async def forget(self, tenant: str, upload: str) -> None:
        """Delete the record of an upload; a missing record is no error."""
        await self._tables.delete(_TABLE, key(tenant), _row(upload))

    async def permitted_before(self, tenant: str, end: datetime) -> AsyncIterator[Sequence[Upload]]:
        """Yield pages of the records whose ids were made before `end`, the oldest first."""
        continuation = None
        while True:
            page = await self._tables.page(
                _TABLE,
                key(tenant),
                size=_PAGE,
                continuation=continuation,
                between=(_row(""), _row(first_id(end))),
            )
            yield [from_values(Upload, row.values) for row in page.rows]
            continuation = page.continuation
            if continuation is None:
                return


def _row(upload: str) -> str:
    return key(upload)
