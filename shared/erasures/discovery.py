"""Discovery: the search of a tenant's records for the data subject, range by range.

Every step can be repeated after a crash at any line: a find is added once, and a range is done in
the transaction that queues the rest.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from shared.assets.rules import NO_RECORD, Asset
from shared.assets.service import Assets
from shared.erasures import ranges, rules
from shared.erasures.finds import Find, FoundAsset, decision_on, find_of
from shared.erasures.rules import Counts, Erasure, Preview, Sealed
from shared.erasures.store import ErasureStore
from shared.errors import DataKeyError, NotFoundError, RowConflictError, SealError, UnavailableError
from shared.idempotency import key_reused
from shared.ids import rfc3339
from shared.incidents import Incidents
from shared.messages.contracts import IncidentOpened
from shared.ports import Bus, Clock, DataKeys
from shared.subjects.companions import companions
from shared.subjects.matching import Match, Matcher
from shared.subjects.notes import NOT_OPENED
from shared.subjects.sealing import seal, unseal
from shared.subjects.search import Found, Search, evidence_in

_CONCURRENT_FINDS = 8


@dataclass(frozen=True, slots=True)
class AssetEvidence:
    """An asset of a find, with each match and the text that matched; a companion may have none."""

    asset: Asset
    matches: Sequence[tuple[Match, str]]


class Discovery:
    """The discoveries of every tenant's requests."""

    def __init__(
        self,
        store: ErasureStore,
        assets: Assets,
        search: Search,
        data_keys: DataKeys,
        incidents: Incidents,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._store = store
        self._assets = assets
        self._search = search
        self._data_keys = data_keys
        self._incidents = incidents
        self._bus = bus
        self._clock = clock

    async def seal(self, tenant: str, request: str, identifiers: Sequence[str]) -> Sealed:
        """Seal the identifiers of a request under the tenant's data key.

        Raises UnavailableError without a usable data key.
        """
        try:
            key = await self._data_keys.newest(tenant)
        except DataKeyError as error:
            raise UnavailableError("data-key") from error
        sealed = seal(key.key, msgspec.json.encode(identifiers), _binding(tenant, request))
        return Sealed(base64.b64encode(sealed).decode(), key.version)

    async def matcher(self, state: Erasure) -> Matcher:
        """Return the matcher of a request. Raises UnavailableError without the data key."""
        identifiers = await self._identifiers(state)
        return await asyncio.to_thread(Matcher, identifiers)

    async def _identifiers(self, state: Erasure) -> list[str]:
        """Open the identifiers of a request. Raises UnavailableError without the data key."""
        if state.identifiers is None or state.identifiers_key is None:
            raise UnavailableError("data-key")
        try:
            key = await self._data_keys.version(state.tenant, state.identifiers_key)
            sealed = base64.b64decode(state.identifiers)
            plain = unseal(key.key, sealed, _binding(state.tenant, state.id))
        except (DataKeyError, SealError) as error:
            await self._report(state, 1)
            raise UnavailableError("data-key") from error
        return msgspec.json.decode(plain, type=list[str])

    async def require_same(self, state: Erasure, identifiers: Sequence[str]) -> None:
        """Raise InvalidInputError where a repeated request has other identifiers.

        The Idempotency-Key of a request keeps nothing of the body, because a hash of a name can be
        guessed. A completed request has no identifiers to compare.
        """
        if state.identifiers is None:
            return
        if await self._identifiers(state) != list(identifiers):
            raise key_reused()

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
        matcher = await self.matcher(state)
        searched = await self._search.read(
            state.tenant, matcher, after=one.after, upto=one.upto, most=ranges.BATCH
        )
        limit = asyncio.Semaphore(_CONCURRENT_FINDS)

        async def add(found: Found) -> bool:
            async with limit:
                return await self._add(state, found)

        wanted = [found for found in searched.found if self._counts(state, found)]
        added = await asyncio.gather(*map(add, wanted))
        await self._report(state, searched.notes[NOT_OPENED])
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

    async def _add(self, state: Erasure, found: Found) -> bool:
        """Add the find of an asset with its companions. Returns False for no new find."""
        try:
            asset = await self._assets.find(state.tenant, found.asset)
        except NotFoundError:
            # Erased meanwhile.
            return False
        group = await self._group(asset)
        find = find_of(min(one.id for one in group), group, found.matches)
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

    async def _group(self, asset: Asset) -> list[FoundAsset]:
        """Return an asset and its companions."""
        near = await self._assets.companions_of(asset)
        paths = {one.canonical_path for one in near} | {asset.canonical_path}
        # The companions of companions too, so that every member leads to the same group.
        wanted, waiting = {asset.canonical_path}, [asset.canonical_path]
        while waiting:
            path = waiting.pop()
            more = set(companions(path, paths - {path})) - wanted
            wanted |= more
            waiting += more
        others = [one for one in near if one.id != asset.id and one.canonical_path in wanted]
        own = [one for one in others if one.canonical_path != asset.canonical_path]
        return [FoundAsset(id=one.id, size=one.size) for one in [asset, *own]]

    async def _report(self, state: Erasure, not_opened: int) -> None:
        """Open an incident, once a tenant and day, for what cannot be opened."""
        if not_opened:
            incident = IncidentOpened(
                kind="data-key.unusable",
                severity="critical",
                summary="Records of what files say cannot be opened: a data key is gone or wrong.",
                resource=f"erasure-requests/{state.id}",
                tenant=state.tenant,
            )
            await self._incidents.open_once(incident, once=rfc3339(self._clock())[:10])

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
        """Complete the preview once every range is searched."""
        searched = await self._store.ranges(state)
        if not searched or not all(one.done for one in searched):
            return
        notes = Counter[str]()
        for one in searched:
            notes.update(one.notes)
        if not notes[NO_RECORD]:
            await self._search.confirm_recorded(state.tenant, state.discovery_started_at)
        preview = Preview(await self.counts(state), sum(one.read for one in searched), dict(notes))
        state, etag = await self._store.load(state.tenant, state.id)
        decision = rules.discovered(state, state.discovery, preview, self._clock())
        try:
            await self._store.commit(decision, etag)
        except RowConflictError:
            # The last two ranges ended at once.
            return

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

    async def evidence(
        self, tenant: str, find: Find, matcher: Matcher | None
    ) -> list[AssetEvidence]:
        """Return the assets of a find, each with the texts that matched, the surest first.

        The texts are read from the records anew, because no row of a request has a text. Without a
        `matcher` an asset has no texts.
        """
        shown = []
        for one in find.assets:
            asset = await self._assets.look_up(tenant, one.id)
            record = await self._search.opened(tenant, one.id) if matcher else None
            if isinstance(asset, Asset):
                found = []
                if record is not None and matcher is not None:
                    found = await asyncio.to_thread(evidence_in, matcher, record)
                shown.append(AssetEvidence(asset, found))
        return shown

    async def included(self, state: Erasure) -> AsyncIterator[str]:
        """Yield the ids of the assets that the managers' decisions include, each once.

        Two finds share an asset where a companion with an older id came between two searches.
        """
        seen = set[str]()
        async for find in self._store.finds(state):
            if decision_on(find, state.choice)[0] == "include":
                for asset in await self._with_late(state, find):
                    if asset not in seen:
                        seen.add(asset)
                        yield asset

    async def _with_late(self, state: Erasure, find: Find) -> list[str]:
        """Return the ids of a find's assets and of the companions that came since."""
        identifiers = dict.fromkeys(one.id for one in find.assets)
        for one in find.assets:
            asset = await self._assets.look_up(state.tenant, one.id)
            if isinstance(asset, Asset):
                identifiers |= dict.fromkeys(other.id for other in await self._group(asset))
        return list(identifiers)


def _binding(tenant: str, request: str) -> bytes:
    return f"erasure\n{tenant}\n{request}".encode()
