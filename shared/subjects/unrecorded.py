"""Assets without a record: filed before records existed, and not yet reread.

Each discovery counts them. A mark in the tenant's partition keeps the id up to which every asset
has a record, so that a later discovery looks only behind the mark.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from shared.assets.service import ASSETS, asset_row
from shared.compare_and_set import compare_and_set
from shared.ids import first_id, key
from shared.ports import Insert, Operation, Replace, Row, Tables

_MARK: Final = key("recorded")
_PAGE: Final = 1000
_COLUMNS: Final = ("metadataReader", "erasedAt")
# An instance of an older version may file, during a deployment, an upload that was permitted
# earlier: days pass where the uploads of a tenant wait.
_LATE: Final = timedelta(days=7)


class Unrecorded(NamedTuple):
    """The ids of assets without a record, and the id up to which the assets were looked at."""

    assets: Sequence[str]
    upto: str


class UnrecordedAssets:
    """Finds the assets without a record of every tenant."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, tenant: str, after: str, upto: str, most: int) -> Unrecorded:
        """Return the assets without a record after the id `after` up to the id `upto`.

        Stops after `most` assets, or the few more of a page.
        """
        first = max(after, await self._mark(tenant))
        if first >= upto:
            return Unrecorded((), upto)
        found, looked, continuation = list[str](), 0, None
        while True:
            page = await self._tables.page(
                ASSETS,
                key(tenant),
                size=_PAGE,
                continuation=continuation,
                between=(asset_row(first) + "!", asset_row(upto) + "!"),
                columns=_COLUMNS,
            )
            found += [_id_of(row) for row in page.rows if _has_none(row)]
            looked += len(page.rows)
            continuation = page.continuation
            if continuation is None:
                return Unrecorded(found, upto)
            if page.rows and looked >= most:
                return Unrecorded(found, _id_of(page.rows[-1]))

    async def confirm(self, tenant: str, at: datetime) -> None:
        """Keep that a look at every asset, begun at `at`, found each asset with a record."""
        mark = first_id(at - _LATE)

        async def attempt() -> None:
            row = await self._tables.get(ASSETS, key(tenant), _MARK)
            if row is not None and str(row.values["upto"]) >= mark:
                return
            after = Row(key(tenant), _MARK, {"upto": mark}, None if row is None else row.etag)
            operation: Operation = Insert(after) if row is None else Replace(after)
            await self._tables.commit(ASSETS, [operation])

        await compare_and_set(attempt)

    async def _mark(self, tenant: str) -> str:
        row = await self._tables.get(ASSETS, key(tenant), _MARK)
        return "" if row is None else str(row.values["upto"])


def _has_none(row: Row) -> bool:
    return row.values.get("metadataReader") is None and not row.values.get("erasedAt")


def _id_of(row: Row) -> str:
    return row.row.rpartition("|")[2]
