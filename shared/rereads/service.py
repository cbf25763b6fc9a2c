"""Rereads, batch by batch. Every step can be repeated after a crash at any line."""

import asyncio
import logging
from collections.abc import Sequence

from shared.assets import runs
from shared.assets.service import METADATA, asset_row, record_row
from shared.compare_and_set import compare_and_set
from shared.errors import DataKeyError, RefusalError, RowConflictError, UnavailableError
from shared.ids import key, rfc3339
from shared.incidents import Incidents
from shared.messages.contracts import Actor, IncidentOpened
from shared.messages.outbox_rows import Outgoing
from shared.ports import Blobs, Clock, DataKeys, Replace, Row, Upsert
from shared.rereads import rules
from shared.rereads.renewal import Renewal, Renewed
from shared.rereads.rules import Reread, Selection
from shared.rereads.store import Kept, Library, RereadStore
from shared.rows import to_values
from shared.tenancy import Tenants

_COUNT_PAGE = 1000

logger = logging.getLogger("vouchsafe.rereads")


class Rereads:
    """The rereads of every tenant."""

    def __init__(
        self,
        store: RereadStore,
        library: Library,
        renewal: Renewal,
        data_keys: DataKeys,
        blobs: Blobs,
        incidents: Incidents,
        tenants: Tenants,
        clock: Clock,
    ) -> None:
        self._store = store
        self._library = library
        self._renewal = renewal
        self._data_keys = data_keys
        self._blobs = blobs
        self._incidents = incidents
        self._tenants = tenants
        self._clock = clock

    async def request(
        self, tenant: str, selection: Selection, actor: Actor, reread: str
    ) -> tuple[Reread, str, bool]:
        """Open a reread with the id `reread`; return reread, ETag, and True for a new reread.

        The same id twice is one reread. Raises ConflictError while an earlier request is
        unfinished.
        """
        known = await self._store.find(tenant, reread)
        if known is not None:
            return *known, False
        rules.check_new([one for one, _ in await self._store.unfinished(tenant)])
        state = rules.open_reread(tenant, reread, selection, actor, self._clock())
        message = self._store.message(state)
        entry = self._store.entry(rules.step_of(state, "reread.requested"))
        try:
            await self._store.commit(state, None, outgoing=[message, entry])
        except RowConflictError:
            return *await self._store.load(tenant, reread), False
        return *await self._store.load(tenant, reread), True

    async def find(self, tenant: str, reread: str) -> tuple[Reread, str]:
        """Return a reread and the ETag. Raises NotFoundError for a missing reread."""
        return await self._store.load(tenant, reread)

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Reread], str | None]:
        """Return a page of a tenant's rereads, oldest first, and the token of the next page."""
        return await self._store.page(tenant, size, continuation)

    async def resume(self) -> None:
        """Send the message of each reread that has lost the message. May be repeated.

        Raises UnavailableError when a service did not answer, after a look at every tenant.
        """
        failed: UnavailableError | None = None
        async for tenant in self._tenants.every():
            try:
                await self._tenants.require(tenant.id)
                await self._resume(tenant.id)
            except RefusalError:
                logger.info("the tenant %s is not this stamp's to read", tenant.id)
            except UnavailableError as error:
                failed = error
        if failed is not None:
            raise failed

    async def _resume(self, tenant: str) -> None:
        for state, etag in await self._store.unfinished(tenant):
            after = rules.resumed(state, self._clock())
            if after is None:
                continue
            try:
                await self._store.commit(after, etag, outgoing=[self._store.message(after)])
            except RowConflictError:
                logger.info("the reread %s goes on by itself", state.id)

    async def advance(self, tenant: str, reread: str, batch: int, deliveries: int = 1) -> None:
        """Do the work of one message: count assets, or make the records of a batch anew.

        A message for a batch that is over changes nothing. Raises UnavailableError when a service
        does not answer or the tenant has no usable data key, and NotFoundError for a missing
        reread.
        """
        try:
            await compare_and_set(lambda: self._attempt(tenant, reread, batch, deliveries))
        except DataKeyError as error:
            await self._incidents.open_once(
                _no_data_key(tenant, reread), once=rfc3339(self._clock())[:10]
            )
            raise UnavailableError("data-key") from error

    async def _attempt(self, tenant: str, reread: str, batch: int, deliveries: int) -> None:
        state, etag = await self._store.load(tenant, reread)
        if not state.awaits(batch):
            await self._store.flush(tenant)
        elif state.status == "counting":
            await self._count(state, etag)
        else:
            await self._read_batch(state, etag, deliveries)

    async def _count(self, state: Reread, etag: str) -> None:
        newest = (await self._data_keys.newest(state.tenant)).version
        chosen, looked, last = 0, 0, state.cursor
        while looked < runs.COUNT_SIZE:
            page = await self._library.page(
                state.tenant, last, rules.ids_before(state), _COUNT_PAGE, with_texts=False
            )
            looked += _COUNT_PAGE
            chosen += sum(
                rules.chooses(state, one.asset, one.sealing, newest) for one in page.assets
            )
            last = page.last
            if not last:
                break
        after = rules.counted(state, chosen, last, self._clock())
        ended = after.status == "completed"
        following = self._completion(after) if ended else self._store.message(after)
        await self._store.commit(after, etag, outgoing=[following])

    async def _read_batch(self, state: Reread, etag: str, deliveries: int) -> None:
        """Make the next records anew. Raises RowConflictError when another commit was faster."""
        newest = (await self._data_keys.newest(state.tenant)).version
        page = await self._library.page(
            state.tenant, state.cursor, rules.ids_before(state), runs.BATCH_SIZE, with_texts=True
        )
        for erased in page.erased:
            await self._renewal.forget(state.tenant, erased)
        chosen = [
            one for one in page.assets if rules.chooses(state, one.asset, one.sealing, newest)
        ]
        # After a failure one at a time, so that the cursor stands before the file at fault.
        at_once = rules.CONCURRENT if deliveries == 1 else 1
        size = 0
        for start in range(0, len(chosen), at_once):
            if size >= runs.BATCH_BYTES:
                break
            several = chosen[start : start + at_once]
            unread = start == 0 and deliveries > rules.MOST_DELIVERIES
            renewed = await asyncio.gather(
                *(self._renewal.renew(state, one, unread=unread) for one in several)
            )
            for kept, one in zip(several, renewed, strict=True):
                state, etag = await self._keep(state, etag, kept, one)
                size += kept.asset.size
        else:
            await self._end_page(state, etag, page.last)
            return
        after = runs.next_batch(state, self._clock())
        await self._store.commit(after, etag, outgoing=[self._store.message(after)])

    async def _end_page(self, state: Reread, etag: str, last: str) -> None:
        if last:
            after = rules.moved(state, last, self._clock())
            await self._store.commit(after, etag, outgoing=[self._store.message(after)])
            return
        after = runs.completed(state, self._clock())
        await self._store.commit(after, etag, outgoing=[self._completion(after)])

    async def _keep(
        self, state: Reread, etag: str, kept: Kept, renewed: Renewed
    ) -> tuple[Reread, str]:
        """Keep an asset's record and the progress as one transaction.

        Raises RowConflictError for an asset that was erased, or whose row has changed.
        """
        tenant, asset = state.tenant, kept.asset.id
        progress = rules.looked_at(state, renewed.outcome, asset, self._clock())
        row = Row(key(tenant), asset_row(asset), to_values(renewed.asset), kept.etag)
        record = Row(key(tenant), record_row(asset), renewed.columns)
        blob = renewed.columns.get("blob")
        try:
            await self._store.commit(progress, etag, operations=[Replace(row), Upsert(record)])
        except RowConflictError:
            if blob is not None:
                await self._blobs.delete(METADATA, str(blob))
            raise
        if blob is not None or (kept.record is not None and "blob" in kept.record.values):
            await self._renewal.forget(tenant, asset, keep=blob)
        if renewed.outcome == "unreadable":
            logger.warning("asset %s: the file could not be read anew", asset)
        return await self._store.load(tenant, state.id)

    def _completion(self, state: Reread) -> Outgoing:
        return self._store.entry(rules.step_of(state, "reread.completed"))


def _no_data_key(tenant: str, reread: str) -> IncidentOpened:
    return IncidentOpened(
        kind="data-key.unusable",
        severity="critical",
        summary="The tenant's data key is destroyed, disabled or wrong, and a reread waits.",
        resource=f"rereads/{reread}",
        tenant=tenant,
    )
