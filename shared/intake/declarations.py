"""Declarations: the announced properties of an upload, kept by path until the upload is filed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.catalogue import UPLOADS_TABLE
from shared.errors import RowConflictError
from shared.ids import key
from shared.ports import Delete, Row, Tables, Upsert
from shared.rows import Stored, from_values, to_values

_TABLE = UPLOADS_TABLE.name
# A URL lives for minutes, but a running upload may take much longer. The declaration of an upload
# that never came does not apply to the next upload.
_LIFETIME = timedelta(days=1)


class Declaration(Stored, frozen=True):
    """An announced upload. `size` is in bytes; `media_type` is the uploader's statement."""

    id: str
    size: int
    media_type: str
    declared_at: datetime


@dataclass(frozen=True, slots=True)
class KeptDeclaration:
    """A declaration as read, to tell the declaration from a later declaration."""

    declaration: Declaration
    etag: str | None


class Declarations:
    """The declarations of every tenant, the latest for each path."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def keep(self, tenant: str, path: str, declaration: Declaration) -> None:
        """Store the declaration of the next upload to `path`, and replace an earlier one."""
        row = Row(key(tenant), _row(path), to_values(declaration))
        await self._tables.commit(_TABLE, [Upsert(row)])

    async def find(self, tenant: str, path: str, uploaded_at: datetime) -> KeptDeclaration | None:
        """Return the declaration of the upload that came at `uploaded_at`, or None."""
        row = await self._tables.get(_TABLE, key(tenant), _row(path))
        if row is None:
            return None
        declaration = from_values(Declaration, row.values)
        # Storage gives a blob's time in whole seconds.
        age = uploaded_at - declaration.declared_at.replace(microsecond=0)
        if not timedelta(0) <= age <= _LIFETIME:
            return None
        return KeptDeclaration(declaration, row.etag)

    async def forget(self, tenant: str, path: str, found: KeptDeclaration) -> None:
        """Drop the declaration of a filed upload; a later declaration stays."""
        try:
            delete = Delete(key(tenant), _row(path), found.etag)
            await self._tables.commit(_TABLE, [delete])
        except RowConflictError:
            return


def _row(path: str) -> str:
    """Return the RowKey of a path, which fits any path and hides the path."""
    return hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()
