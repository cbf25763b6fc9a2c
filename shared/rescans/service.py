"""Rescans, batch by batch. Every step can be repeated after a crash at any line."""

import logging
from collections.abc import Sequence

from shared.assets import runs
from shared.assets.rules import Asset, EngineVerdict
from shared.assets.scan_index import Indexed, ScanIndex, index_key
from shared.compare_and_set import compare_and_set
from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    RowConflictError,
    UnavailableError,
    kind_and_place,
)
from shared.messages.contracts import Actor
from shared.ports import Blobs, Clock
from shared.rescans import rules
from shared.rescans.budget import Budget
from shared.rescans.quarantine import Quarantine
from shared.rescans.rules import Choice, Outcome, Rescan
from shared.rescans.scan import scan_stored
from shared.rescans.store import RescanStore
from shared.scanning.content_type import UNKNOWN
from shared.scanning.engines import Engines, verdicts_of

logger = logging.getLogger("vouchsafe.rescans")


class Rescans:
    """The rescans of every tenant."""

    def __init__(
        self,
        store: RescanStore,
        index: ScanIndex,
        quarantine: Quarantine,
        budget: Budget,
        engines: Engines,
        blobs: Blobs,
        clock: Clock,
    ) -> None:
        """`engines` scan on demand."""
        self._store = store
        self._index = index
        self._quarantine = quarantine
        self._budget = budget
        self._engines = engines
        self._blobs = blobs
        self._clock = clock

    @property
    def are_off(self) -> bool:
        """Tell whether the stamp scans no stored asset again."""
        return self._budget.is_none or not self._engines.scanners

    async def request(
        self, tenant: str, choice: Choice, actor: Actor, rescan: str
    ) -> tuple[Rescan, str, bool]:
        """Open a rescan with the id `rescan`; return rescan, ETag, and True for a new rescan.

        The same id twice is one rescan. Raises ConflictError on a stamp without rescans, and for a
        person's request while an earlier request is unfinished.
        """
        known = await self._store.find(tenant, rescan)
        if known is not None:
            return *known, False
        if self.are_off:
            raise rules.rescans_off()
        state = rules.open_rescan(tenant, rescan, choice, actor, self._clock())
        if not state.is_scheduled:
            rules.check_new([one for one, _ in await self._store.unfinished(tenant)])
        message = self._store.message(state)
        entry = self._store.entry(rules.step_of(state, "rescan.requested"))
        try:
            await self._store.commit(state, None, outgoing=[message, entry])
        except RowConflictError:
            return *await self._store.load(tenant, rescan), False
        return *await self._store.load(tenant, rescan), True

    async def find(self, tenant: str, rescan: str) -> tuple[Rescan, str]:
        """Return a rescan and the ETag. Raises NotFoundError for a missing rescan."""
        return await self._store.load(tenant, rescan)

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Rescan], str | None]:
        """Return a page of a tenant's rescans, oldest first, and the token of the next page."""
        return await self._store.page(tenant, size, continuation)

    async def advance(self, tenant: str, rescan: str, batch: int) -> None:
        """Do the work of one message: count assets, or scan a batch of assets.

        A message for a batch that is over changes nothing. Raises UnavailableError when storage or
        an engine does not answer, and NotFoundError for a missing rescan.
        """
        await self._quarantine.finish(tenant)
        await compare_and_set(lambda: self._attempt(tenant, rescan, batch))

    async def _attempt(self, tenant: str, rescan: str, batch: int) -> None:
        state, etag = await self._store.load(tenant, rescan)
        if not state.awaits(batch):
            await self._store.flush(tenant)
        elif state.status == "counting":
            await self._count(state, etag)
        else:
            await self._scan_batch(state, etag)

    async def _count(self, state: Rescan, etag: str) -> None:
        found = await self._index.count(
            state.tenant, state.before, after=state.cursor, most=runs.COUNT_SIZE
        )
        after = rules.counted(state, found.assets, found.bytes, found.last, self._clock())
        await self._store.commit(after, etag, outgoing=[self._store.message(after)])

    async def _scan_batch(self, state: Rescan, etag: str) -> None:
        """Scan the next assets. Raises RowConflictError when another delivery was faster."""
        rows = await self._index.oldest(
            state.tenant, state.before, after=state.cursor, size=runs.BATCH_SIZE
        )
        read = 0
        for row in rows:
            if read >= runs.BATCH_BYTES:
                break
            found = await self._index.load(state.tenant, row.asset)
            if found is None or index_key(found[0]) != row.row:
                await self._index.drop(state.tenant, row.row)
                found = None
            if found is None or not rules.chooses(state, found[0]):
                state = rules.passed_over(state, row.row)
                continue
            if not await self._budget.take(row.size):
                await self._store.commit(rules.paused(state, self._clock()), etag)
                return
            state, etag = await self._scan(state, etag, row, *found)
            read += row.size
        else:
            if len(rows) < runs.BATCH_SIZE:
                await self._complete(state, etag)
                return
        after = runs.next_batch(state, self._clock())
        await self._store.commit(after, etag, outgoing=[self._store.message(after)])

    async def _scan(
        self, state: Rescan, etag: str, row: Indexed, asset: Asset, asset_etag: str
    ) -> tuple[Rescan, str]:
        """Scan an asset, and keep verdict and progress as one transaction."""
        outcome, verdicts, notes = await self._outcome(asset)
        now = self._clock()
        after = rules.after_scan(asset, outcome, verdicts, now, notes)
        progress = rules.looked_at(state, outcome, row.size, row.row, now)
        operations, reports = self._quarantine.changes(
            asset, after, asset_etag, outcome, asset.id if outcome == "infected" else state.id
        )
        await self._store.commit(progress, etag, operations=operations, outgoing=reports)
        if outcome != "clean":
            logger.warning("asset %s: %s when scanned again", asset.id, outcome)
        if outcome == "infected":
            await self._quarantine.finish(state.tenant)
        return await self._store.load(state.tenant, state.id)

    async def _outcome(
        self, asset: Asset
    ) -> tuple[Outcome, Sequence[EngineVerdict], Sequence[str] | None]:
        """Scan the bytes of an asset; the last of the answer are the notes on the content.

        Raises UnavailableError.
        """
        if asset.container is None or asset.blob is None:
            return "missing", (), None
        blob = await self._blobs.head(asset.container, asset.blob)
        if blob is None or blob.metadata.get("asset") != asset.id:
            return "missing", (), None
        try:
            media_type = asset.media_type or UNKNOWN
            scan = await scan_stored(self._engines, self._blobs, asset.id, blob, media_type)
        except (UnavailableError, OSError):
            raise
        except BlobChangedError:
            return "missing", (), None
        except BlobArchivedError:
            await self._blobs.rehydrate(blob.container, blob.name)
            return "failed", (), None
        except Exception as error:  # noqa: BLE001 - any parser of any engine may fail on a file
            # The fault of one file must not hold up the others.
            logger.error("asset %s: %s", asset.id, kind_and_place(error))  # noqa: TRY400 - see there
            return "failed", (), None
        verdicts = verdicts_of(scan.results, self._clock())
        outcome = rules.outcome_of(asset, scan.sha256, verdicts)
        return outcome, verdicts, scan.content_notes

    async def _complete(self, state: Rescan, etag: str) -> None:
        after = runs.completed(state, self._clock())
        entry = self._store.entry(rules.step_of(after, "rescan.completed"))
        await self._store.commit(after, etag, outgoing=[entry])
