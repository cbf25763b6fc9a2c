"""What was said of an upload before it came: kept with its path until the upload is filed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.catalogue import UPLOADS_TABLE
from shared.errors import RowConflictError
from shared.ids import key
from shared.ports import Delete, Row, Tables, Upsert
from shared.rows import Stored, from_values, to_values

_TABLE = UPLOADS_TABLE.name
# A URL lives for minutes, but an upload may take much longer once it has begun. What is said of one
# that never came says nothing of the next.
_LIFETIME = timedelta(days=1)


class Declaration(Stored, frozen=True):
    """An announced upload. `size` is in bytes; `media_type` as the uploader gave it."""

    id: str
    size: int
    media_type: str
    declared_at: datetime


@dataclass(frozen=True, slots=True)
class KeptDeclaration:
    """A declaration as it was read, so that no later one is taken for it."""

    declaration: Declaration
    etag: str | None


class Declarations:
    """The declarations of all tenants, the latest for each path."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def keep(self, tenant: str, path: str, declaration: Declaration) -> None:
        """Keep what was said of the next upload to `path`, in place of what was said before."""
        row = Row(key(tenant), _row(path), to_values(declaration))
        await self._tables.commit(_TABLE, [Upsert(row)])

    async def find(self, tenant: str, path: str, uploaded_at: datetime) -> KeptDeclaration | None:
        """What was said of the upload that came at `uploaded_at`, if anything was."""
        row = await self._tables.get(_TABLE, key(tenant), _row(path))
        if row is None:
            return None
        declaration = from_values(Declaration, row.values)
        # Storage tells when a blob came in whole seconds.
        age = uploaded_at - declaration.declared_at.replace(microsecond=0)
        if not timedelta(0) <= age <= _LIFETIME:
            return None
        return KeptDeclaration(declaration, row.etag)

    async def forget(self, tenant: str, path: str, found: KeptDeclaration) -> None:
        """Drop a declaration whose upload was filed; a later one stays."""
        try:
            delete = Delete(key(tenant), _row(path), found.etag)
            await self._tables.commit(_TABLE, [delete])
        except RowConflictError:
            return


def _row(path: str) -> str:
    """The RowKey of a path, which fits any path and does not tell it."""
    return hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest()
