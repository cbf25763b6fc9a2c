"""The rows and the messages of rereads, and a tenant's assets page by page with their records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.assets.rules import Asset
from shared.assets.run_store import RunKind, RunStore
from shared.assets.service import ASSETS, asset_row, record_row
from shared.ids import first_id, key
from shared.messages.contracts import RereadBatchReady
from shared.ports import Row, Tables
from shared.rereads.rules import Reread, Sealing, reread_not_found
from shared.rows import from_values

type RereadStore = RunStore[Reread]


def _ready(state: Reread) -> RereadBatchReady:
    return RereadBatchReady(tenant=state.tenant, reread_id=state.id, batch=state.batch)


REREADS: Final = RunKind(Reread, "reread", _ready, reread_not_found)

_SEALING: Final = ("key", "reader")


@dataclass(frozen=True, slots=True)
class Kept:
    """An asset, the ETag of the asset's row, and the row of the asset's record."""

    asset: Asset
    etag: str
    record: Row | None

    @property
    def sealing(self) -> Sealing | None:
        """The key and the reader of the record; None without a record."""
        if self.record is None:
            return None
        values = self.record.values
        return Sealing(str(values["key"]), int(values["reader"]))


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page of assets. `erased` are ids of tombstones; `last` is the page's last id, "" at the
    end.
    """

    assets: Sequence[Kept]
    erased: Sequence[str]
    last: str


class Library:
    """Reads the assets of every tenant in the order of their ids."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def page(
        self, tenant: str, after: str, before: datetime, size: int, *, with_texts: bool
    ) -> KeptPage:
        """Return the assets after the id `after`, of ids that were made before `before`.

        Without `with_texts` a record's row has the key and the reader alone.
        """
        bounds = asset_row(after) + "!" if after else asset_row(""), asset_row(first_id(before))
        page = await self._tables.page(ASSETS, key(tenant), size=size, between=bounds)
        if not page.rows:
            return KeptPage((), (), "")
        first, last = _id_of(page.rows[0]), _id_of(page.rows[-1])
        records = await self._records(tenant, first, last, () if with_texts else _SEALING)
        kept = [
            Kept(from_values(Asset, row.values), row.etag or "", records.get(_id_of(row)))
            for row in page.rows
            if not row.values.get("erasedAt")
        ]
        erased = [_id_of(row) for row in page.rows if row.values.get("erasedAt")]
        return KeptPage(kept, erased, "" if page.continuation is None else last)

    async def _records(
        self, tenant: str, first: str, last: str, columns: Sequence[str]
    ) -> Mapping[str, Row]:
        found, continuation = dict[str, Row](), None
        while True:
            page = await self._tables.page(
                ASSETS,
                key(tenant),
                size=1000,
                continuation=continuation,
                between=(record_row(first), record_row(last) + "!"),
                columns=columns,
            )
            found |= {_id_of(row): row for row in page.rows}
            continuation = page.continuation
            if continuation is None:
                return found


def _id_of(row: Row) -> str:
    return row.row.rpartition("|")[2]
