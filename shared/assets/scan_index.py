"""The index of scan times: a row for each cleared asset, by the time of the last scan.

The row stands in the tenant's partition of `assets`, and moves in the transaction that changes the
asset's row. A range of RowKeys is therefore "the oldest verdicts first". A reader takes the asset's
row for the truth: a row of the index without the asset, or beside the asset's time, is stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.assets.rules import Asset
from shared.catalogue import ASSETS_TABLE
from shared.ids import key, rfc3339
from shared.ports import Delete, Insert, Operation, Row, Tables
from shared.rows import from_values

_TABLE: Final = ASSETS_TABLE.name
_PAGE: Final = 1000
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A row of the index: the RowKey, the asset's id, and the asset's size in bytes."""

    row: str
    asset: str
    size: int


@dataclass(frozen=True, slots=True)
class Counted:
    """A count of rows of the index. `last` is the last counted RowKey; "" at the end."""

    assets: int
    bytes: int
    last: str


class ScanIndex:
    """Reads the index of every tenant."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def oldest(
        self, tenant: str, before: datetime, *, after: str = "", size: int = 1
    ) -> Sequence[Indexed]:
        """Return up to `size` rows of scans before `before`, the oldest first.

        `after` is the RowKey to read on from; "" for the beginning.
        """
        found: list[Indexed] = []
        continuation = None
        while True:
            page = await self._tables.page(
                _TABLE,
                key(tenant),
                size=size - len(found),
                continuation=continuation,
                between=_between(after, before),
            )
            found += [_indexed(row) for row in page.rows]
            continuation = page.continuation
            if continuation is None or len(found) >= size:
                return found[:size]

    async def count(self, tenant: str, before: datetime, *, after: str, most: int) -> Counted:
        """Count the rows of scans before `before`, at least `most` of them if there are as many."""
        assets, size, continuation = 0, 0, None
        while True:
            page = await self._tables.page(
                _TABLE,
                key(tenant),
                size=_PAGE,
                continuation=continuation,
                between=_between(after, before),
            )
            assets += len(page.rows)
            size += sum(_indexed(row).size for row in page.rows)
            continuation = page.continuation
            if continuation is None:
                return Counted(assets, size, "")
            if page.rows and assets >= most:
                return Counted(assets, size, page.rows[-1].row)

    async def load(self, tenant: str, asset: str) -> tuple[Asset, str] | None:
        """Return an asset and the ETag of the asset's row; None for an absent or erased asset."""
        row = await self._tables.get(_TABLE, key(tenant), key("asset", asset))
        if row is None or row.etag is None or row.values.get("erasedAt"):
            return None
        return from_values(Asset, row.values), row.etag

    async def has(self, tenant: str, asset: Asset) -> bool:
        """Tell whether the asset has a row in the index."""
        name = index_key(asset)
        return name is not None and await self._tables.get(_TABLE, key(tenant), name) is not None

    async def drop(self, tenant: str, row: str) -> None:
        """Delete a stale row of the index."""
        await self._tables.delete(_TABLE, key(tenant), row)


def index_key(asset: Asset) -> str | None:
    """Return the RowKey of an asset in the index; None for an asset without a place there.

    Only cleared assets have a place. An asset whose bytes could not be scanned stands at the time
    of the attempt, so that the asset holds up no other asset.
    """
    at = asset.scan_failed_at or asset.scanned_at
    if asset.verdict != "clean" or at is None:
        return None
    return key("scanned", rfc3339(at), asset.id)


def indexing(partition: str, before: Asset | None, after: Asset | None) -> list[Operation]:
    """Return the operations that move an asset in the index from one record to the next.

    `before` is None for an asset without a row in the index.
    """
    old = None if before is None else index_key(before)
    new = None if after is None else index_key(after)
    if old == new:
        return []
    operations: list[Operation] = []
    if old is not None:
        operations.append(Delete(partition, old))
    if new is not None and after is not None:
        operations.append(Insert(Row(partition, new, {"asset": after.id, "size": after.size})))
    return operations


def time_text(at: datetime) -> str:
    """Return a time as a column has the time, to compare with; a time out of range is cut."""
    return rfc3339(min(max(at, _EARLIEST), _LATEST))


def _between(after: str, before: datetime) -> tuple[str, str]:
    # No RowKey of the index continues another RowKey.
    first = after + "!" if after else key("scanned", "")
    return first, key("scanned", time_text(before))


def _indexed(row: Row) -> Indexed:
    return Indexed(row.row, str(row.values["asset"]), int(row.values["size"]))
