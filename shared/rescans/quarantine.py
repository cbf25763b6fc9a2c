"""A stored asset that was found infected, step by step.

The asset's row changes first: from then on every access is refused. The same transaction leaves a
row `moving` with the place of the bytes. The bytes are then copied to quarantine and deleted from
the tenant's container, which ends every link to the bytes. The notice to the tenant and the end of
the row `moving` are one transaction. Every step can be repeated after a crash at any line.
"""

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import structs

from shared.assets.rules import Asset
from shared.assets.scan_index import ScanIndex, indexing
from shared.assets.service import asset_row, moving_row
from shared.catalogue import ASSETS_TABLE, NOTICES_QUEUE, QUARANTINE_CONTAINER
from shared.compare_and_set import compare_and_set
from shared.errors import BlobArchivedError, BlobChangedError, RowConflictError
from shared.ids import key, new_id
from shared.incidents import incident_message
from shared.messages import Outbox, encode
from shared.messages.contracts import AssetInfected
from shared.messages.outbox_rows import Outgoing
from shared.ports import (
    BlobInfo,
    Blobs,
    Clock,
    Condition,
    Delete,
    Insert,
    Operation,
    Replace,
    Row,
    Tables,
)
from shared.rescans.recipients import recipients_of
from shared.rescans.rules import Outcome, after_scan, incident_of, quarantined
from shared.rescans.store import RescanStore
from shared.rows import Stored, from_values, to_values

if TYPE_CHECKING:
    # For the type's name alone; an import would slow a cold start.
    from shared.accesslog.reading.listing import Reading

_TABLE: Final = ASSETS_TABLE.name
_TAGS: Final = {"verdict": "infected"}
# Nobody opens a blob in quarantine by its type.
_TYPE: Final = "application/octet-stream"

logger = logging.getLogger("vouchsafe.rescans")


class Move(Stored, frozen=True):
    """The move of an asset's bytes to quarantine: from `blob` in `container`."""

    asset: str
    container: str
    blob: str
    sha256: str | None
    filed_at: datetime
    found_at: datetime


class Quarantine:
    """Takes infected assets out of use."""

    def __init__(
        self,
        tables: Tables,
        blobs: Blobs,
        outbox: Outbox,
        store: RescanStore,
        reading: "Reading",
        clock: Clock,
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._store = store
        self._reading = reading
        self._clock = clock
        self._index = ScanIndex(tables)

    def changes(
        self, before: Asset, after: Asset, etag: str, outcome: Outcome, once: str
    ) -> tuple[list[Operation], list[Outgoing]]:
        """Return the operations and the reports of a scan of an asset with the outcome.

        `before` has a row in the index of scan times. `once` is the span within which a fault is
        reported once.
        """
        now, partition = self._clock(), key(before.tenant)
        operations: list[Operation] = [
            Replace(Row(partition, asset_row(before.id), to_values(after), etag)),
            *indexing(partition, before, after),
        ]
        reports: list[Outgoing] = []
        logged: tuple[str, ...] = ()
        if outcome == "infected" and before.container is not None and before.blob is not None:
            move = Move(
                asset=before.id,
                container=before.container,
                blob=before.blob,
                sha256=before.sha256,
                filed_at=before.filed_at,
                found_at=now,
            )
            operations.append(Insert(Row(partition, moving_row(before.id), to_values(move))))
            reports.append(self._store.entry(quarantined(after)))
            logged = (reports[0].id,)
        incident = incident_of(before, after, outcome)
        if incident is not None:
            incident = structs.replace(incident, log_entries=logged)
            reports.append(incident_message(incident, once, now))
        return operations, reports

    async def finish(self, tenant: str) -> None:
        """Finish the moves of a tenant's assets, those of a crash included.

        Further assets with the same bytes are infected too, and are moved with the first.
        """
        while moves := [
            row async for row in self._tables.scan(_TABLE, key(tenant), prefix=moving_row(""))
        ]:
            waiting = [not await self._finish(tenant, row) for row in moves]
            if any(waiting):
                return

    async def _finish(self, tenant: str, row: Row) -> bool:
        """Finish a move. Returns False for bytes in the archive tier, which no copy can read."""
        move = from_values(Move, row.values)
        try:
            await self._move_bytes(tenant, move)
        except BlobArchivedError:
            logger.warning("asset %s: waiting until it is out of the archive", move.asset)
            await self._blobs.rehydrate(move.container, move.blob)
            return False
        await self._condemn_copies(tenant, move)
        found, is_complete = await recipients_of(self._reading, tenant, move.asset, move.filed_at)
        notice = AssetInfected(
            tenant=tenant,
            asset_id=move.asset,
            filed_at=move.filed_at,
            found_at=move.found_at,
            recipients=tuple(found),
            is_complete=is_complete,
        )
        now = self._clock()
        message = encode(NOTICES_QUEUE.name, notice, identifier=new_id(now), now=now)
        try:
            operation = Delete(row.partition, row.row, row.etag)
            await self._outbox.commit(_TABLE, row.partition, [operation], [message])
        except RowConflictError:
            logger.info("asset %s: another delivery has finished the move", move.asset)
        return True

    async def _move_bytes(self, tenant: str, move: Move) -> None:
        """Copy the bytes to quarantine, and delete the bytes in the tenant's container."""
        container, name = QUARANTINE_CONTAINER.name, f"{tenant}/{move.asset}"
        while (source := await self._own(move.container, move.blob, move.asset)) is not None:
            try:
                copied = await self._blobs.copy(
                    source, container, name, {"asset": move.asset}, _TYPE, _TAGS
                )
            except BlobChangedError:
                # An erasure, or another delivery, came between.
                continue
            if not copied:
                raise RuntimeError(f"the place in quarantine of asset {move.asset} is taken")
            if await self._index.load(tenant, move.asset) is None:
                # After an erasure nothing of the asset stays.
                await self._blobs.delete(container, name)
            await self._blobs.delete(source.container, source.name, source.etag)

    async def _own(self, container: str, name: str, asset: str) -> BlobInfo | None:
        blob = await self._blobs.head(container, name)
        # After an erasure, the name may belong to a newer asset.
        return blob if blob is not None and blob.metadata.get("asset") == asset else None

    async def _condemn_copies(self, tenant: str, move: Move) -> None:
        """Take the tenant's further cleared assets with the same bytes out of use."""
        first = await self._index.load(tenant, move.asset)
        if first is None or move.sha256 is None:
            return
        infected, _ = first
        same = [Condition("sha256", "eq", move.sha256), Condition("verdict", "eq", "clean")]
        async for row in self._tables.scan(_TABLE, key(tenant), prefix=asset_row(""), where=same):
            await self._condemn(tenant, str(row.values["id"]), infected)

    async def _condemn(self, tenant: str, asset: str, infected: Asset) -> None:
        """Take an asset with the bytes of `infected` out of use."""

        async def attempt() -> None:
            found = await self._index.load(tenant, asset)
            if found is None or found[0].verdict != "clean":
                return
            before, etag = found
            verdicts = [scan for scan in infected.scans if scan.matches]
            after = after_scan(before, "infected", verdicts, self._clock())
            operations, reports = self.changes(before, after, etag, "infected", before.id)
            if not await self._index.has(tenant, before):
                operations = [one for one in operations if not isinstance(one, Delete)]
            await self._outbox.commit(_TABLE, key(tenant), operations, reports)

        await compare_and_set(attempt)
