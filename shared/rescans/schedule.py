"""The timer of rescans: opens rescans for new signatures, and goes on with paused rescans."""

import logging

from shared.assets.scan_index import ScanIndex
from shared.errors import RefusalError, RowConflictError, UnavailableError
from shared.ids import derived_id
from shared.ports import Clock
from shared.rescans import rules
from shared.rescans.budget import Budget, PresentSignatures
from shared.rescans.quarantine import Quarantine
from shared.rescans.rules import Choice
from shared.rescans.service import Rescans
from shared.rescans.store import RescanStore
from shared.scanning.engines import Engines
from shared.tenancy import Tenants

logger = logging.getLogger("vouchsafe.rescans")


class Schedule:
    """Keeps the rescans of every tenant going."""

    def __init__(
        self,
        rescans: Rescans,
        store: RescanStore,
        index: ScanIndex,
        quarantine: Quarantine,
        budget: Budget,
        signatures: PresentSignatures,
        engines: Engines,
        tenants: Tenants,
        clock: Clock,
    ) -> None:
        """`engines` scan on demand."""
        self._rescans = rescans
        self._store = store
        self._index = index
        self._quarantine = quarantine
        self._budget = budget
        self._signatures = signatures
        self._engines = engines
        self._tenants = tenants
        self._clock = clock

    async def run(self) -> None:
        """Look at each tenant once. May be repeated after a crash at any line.

        Finishes moves to quarantine that a crash left, on every stamp. Raises UnavailableError when
        a service did not answer, after looking at every tenant that can be looked at.
        """
        choice = None
        failed: UnavailableError | None = None
        try:
            choice = await self._due()
        except UnavailableError as error:
            failed = error
        async for tenant in self._tenants.every():
            try:
                await self._tenants.require(tenant.id)
                await self._quarantine.finish(tenant.id)
                if not self._rescans.are_off:
                    await self._look_at(tenant.id, choice)
            except RefusalError:
                logger.info("the tenant %s is not this stamp's to scan", tenant.id)
            except UnavailableError as error:
                failed = error
        if failed is not None:
            raise failed

    async def _due(self) -> Choice | None:
        """Return the choice of the assets with older signatures; None while nothing is due.

        An asset that was scanned within an hour after the signatures changed counts as scanned with
        the older signatures: an instance of the older deployment may have scanned the asset.
        """
        if self._rescans.are_off:
            return None
        now = self._clock()
        since = await self._signatures.since(await self._engines.present(), now)
        settled = since + rules.SETTLING
        return Choice(before=settled) if settled <= now else None

    async def _look_at(self, tenant: str, choice: Choice | None) -> None:
        unfinished = await self._store.unfinished(tenant)
        if choice is not None and not any(state.is_scheduled for state, _ in unfinished):
            await self._open(tenant, choice)
        room = await self._budget.has_room()
        for state, etag in unfinished:
            after = rules.resumed(state, self._clock(), has_room=room)
            if after is None:
                continue
            try:
                await self._store.commit(after, etag, outgoing=[self._store.message(after)])
            except RowConflictError:
                logger.info("the rescan %s goes on by itself", state.id)

    async def _open(self, tenant: str, choice: Choice) -> None:
        """Open a rescan of the tenant's assets with older signatures, if there are any."""
        if choice.before is None or not await self._index.oldest(tenant, choice.before):
            return
        # Once for these signatures: the id is the same at every run of the timer.
        rescan = derived_id(choice.before, tenant, "rescan")
        await self._rescans.request(tenant, choice, rules.SYSTEM, rescan)
