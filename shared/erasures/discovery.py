"""Discovery: the search of a tenant's records for the data subject, range by range.

Every step can be repeated after a crash at any line: a find is added once, and a range is done in
the transaction that queues the rest.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import msgspec

from shared.assets.rules import NO_RECORD
from shared.assets.service import Assets
from shared.catalogue import NOTICES_QUEUE
from shared.erasures import ranges, rules
from shared.erasures.finds import Find, decision_on, find_of
from shared.erasures.groups import Groups, Near
from shared.erasures.rules import Counts, Erasure, Preview
from shared.erasures.sealing import ErasureSeals
from shared.erasures.store import ErasureStore
from shared.errors import NotFoundError, RowConflictError
from shared.ids import rfc3339
from shared.messages import encode
from shared.messages.contracts import ErasureProgressed
from shared.ports import Bus, Clock, OutgoingMessage
from shared.subjects.notes import NOT_OPENED
from shared.subjects.search import Found, Search

_CONCURRENT_FINDS = 8


class Discovery:
    """The discoveries of every tenant's requests."""

    def __init__(
        self,
        store: ErasureStore,
        assets: Assets,
        search: Search,
        seals: ErasureSeals,
        groups: Groups,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._assets = assets
        self._search = search
        self._seals = seals
        self._groups = groups
        self._bus = bus
        self._clock = clock

    async def search(self, tenant: str, request: str, discovery: str, after: str) -> None:
        """Search one range; the last range completes the preview.

        A message of an earlier run, or of a range that is done, changes nothing. Raises
        UnavailableError, and NotFoundError for a missing request.
        """
        state, _ = await self._store.load(tenant, request)
        if state.discovery != discovery or state.status not in ("discovering", "verifying"):
            await self._store.flush(tenant)
            return
        known = await self._store.range(state, after)
        if known is not None and not known[0].done:
            await self._search_range(state, *known)
        await self._store.flush(tenant)
        await self.complete(state)

    async def _search_range(self, state: Erasure, one: ranges.Range, etag: str | None) -> None:
        matcher = await self._seals.matcher(state)
        searched = await self._search.read(
            state.tenant, matcher, after=one.after, upto=one.upto, most=ranges.BATCH
        )
        limit = asyncio.Semaphore(_CONCURRENT_FINDS)
        near = self._groups.near(state.tenant)

        async def add(found: Found) -> bool:
            async with limit:
                return await self._add(state, found, near)

        wanted = [found for found in searched.found if self._counts(state, found)]
        added = await asyncio.gather(*map(add, wanted))
        if searched.notes[NOT_OPENED]:
            await self._seals.report(state.tenant)
        done = msgspec.structs.replace(
            one,
            done=True,
            read=searched.assets,
            found=sum(added),
            notes=dict(searched.notes),
        )
        rest = [] if searched.is_whole else ranges.rest_of(one, searched.last, searched.assets)
        try:
            await self._store.finish_range(state, done, etag, rest)
        except RowConflictError:
            # Another delivery of the message searched the range.
            return

    @staticmethod
    def _counts(state: Erasure, found: Found) -> bool:
        return state.possible or found.matches[0].certainty != "possible"

    async def _add(self, state: Erasure, found: Found, near: Near) -> bool:
        """Add the find of an asset with its companions. Returns False for no new find."""
        try:
            asset = await self._assets.find(state.tenant, found.asset)
        except NotFoundError:
            # Erased meanwhile.
            return False
        group = await self._groups.of(asset, near)
        find = find_of(min(one.id for one in group), group, found.matches, found.key)
        for earlier in state.earlier:
            before = await self._store.find(state, earlier, find.id)
            if before is None:
                continue
            if asset.id in {one.id for one in before.assets}:
                return False
            # A late companion does not undo what was decided on the others.
            decision, reason = decision_on(before, state.choice)
            if decision == "leave-out":
                find = msgspec.structs.replace(find, decision=decision, reason=reason)
        await self._store.add_find(state, find)
        return True

    async def resume(self, state: Erasure, forgotten: timedelta) -> None:
        """Send the messages of ranges again that have waited longer than a message lives."""
        now = self._clock()
        if now - state.discovery_started_at > forgotten:
            hour = rfc3339(now)[:13]
            waiting = [one for one in await self._store.ranges(state) if not one.done]
            await self._bus.send(
                [self._store.range_message(state, one, f"-{hour}") for one in waiting]
            )
        await self.complete(state)

    async def complete(self, state: Erasure) -> None:
        """Complete the preview, or the request, once every range is searched."""
        searched = await self._store.ranges(state)
        if not searched or not all(one.done for one in searched):
            return
        if state.status == "verifying":
            await self._groups.join_late(state)
        notes = Counter[str]()
        for one in searched:
            notes.update(one.notes)
        if not notes[NO_RECORD]:
            await self._search.confirm_recorded(state.tenant, state.discovery_started_at)
        preview = Preview(await self.counts(state), sum(one.read for one in searched), dict(notes))
        state, etag = await self._store.load(state.tenant, state.id)
        decision = rules.discovered(state, state.discovery, preview, self._clock())
        if decision.state.status == "completed":
            await self._store.forget(decision.state)
        try:
            await self._store.commit(decision, etag, self._notice(decision))
        except RowConflictError:
            # The last two ranges ended at once.
            return

    def _notice(self, decision: rules.ErasureDecision) -> list[OutgoingMessage]:
        """Make the notice to the tenant's contacts that the request reached a step, if it did."""
        state, now = decision.state, self._clock()
        if decision.entry is None or state.status not in ("awaiting-approval", "completed"):
            return []
        notice = ErasureProgressed(
            tenant=state.tenant, request_id=state.id, step=state.status, reached_at=now
        )
        # A request may come to the approval again, after a later discovery.
        identifier = f"{state.discovery}-{state.status}"
        return [encode(NOTICES_QUEUE.name, notice, identifier=identifier, now=now)]

    async def counts(
        self, state: Erasure, changed: Callable[[Find], Find] = lambda find: find
    ) -> Counts:
        """Count the finds, and the assets and bytes that are included.

        `changed` gives a find as it will be.
        """
        by_certainty, assets, size = Counter[str](), 0, 0
        async for find in self._store.finds_of(state, state.discovery):
            by_certainty[find.certainty] += 1
            if decision_on(changed(find), state.choice)[0] == "include":
                assets += len(find.assets)
                size += sum(one.size for one in find.assets)
        return Counts(**by_certainty, assets=assets, bytes=size)
