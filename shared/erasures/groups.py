"""Companions of found assets: those that are there, and those that come late.

A late sidecar goes with its photo, unseen, because the sidecar is about nothing but the photo. A
late photo is new content, and managers are asked about the photo and its sidecars.
"""

from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING

from shared.assets.rules import Asset
from shared.assets.service import Assets
from shared.erasures import rules
from shared.erasures.finds import ApprovedAsset, Find, FoundAsset, decision_on
from shared.erasures.rules import SYSTEM, Erasure, Sealed
from shared.erasures.sealing import ErasureSeals
from shared.erasures.store import ErasureStore
from shared.subjects.companions import companions, is_sidecar

if TYPE_CHECKING:
    # Imported for the name alone; a cold start would pay for the module.
    from shared.accesslog import AccessLog


class Groups:
    """The groups of companions of every tenant's assets."""

    def __init__(
        self, store: ErasureStore, assets: Assets, seals: ErasureSeals, log: "AccessLog"
    ) -> None:
        self._store = store
        self._assets = assets
        self._seals = seals
        self._log = log

    def near(self, tenant: str) -> "Near":
        """Return the look-up of companions for a tenant, which may be kept for one search."""
        return Near(self._assets, tenant)

    async def of(self, asset: Asset, known: "Near") -> list[FoundAsset]:
        """Return an asset and its companions."""
        near = await known.of(asset.companions, asset.canonical_path)
        # Another version of the path is found by what that version says.
        others = [one for one in near if one.canonical_path != asset.canonical_path]
        return [FoundAsset(id=one.id, size=one.size) for one in [asset, *others]]

    async def included(self, state: Erasure) -> AsyncIterator[tuple[str, Asset | None, Find]]:
        """Yield the assets that the managers' decisions include, each once, with a find of each.

        An asset that is gone comes by its id alone. Late sidecars are among the assets. Two finds
        share an asset where a companion with an older id came between two searches.
        """
        seen, known = set[str](), Near(self._assets, state.tenant)
        async for find in self._store.finds(state):
            if decision_on(find, state.choice)[0] == "leave-out":
                continue
            for identifier, asset in (await self._with_late(state, find, known)).items():
                if identifier not in seen:
                    seen.add(identifier)
                    yield identifier, asset, find

    async def approved(self, state: Erasure) -> AsyncIterator[ApprovedAsset]:
        """Yield the included assets, each with the sealed path, by which late companions are found.

        Raises UnavailableError without a usable data key.
        """
        async for identifier, asset, find in self.included(state):
            if asset is None or asset.companions is None:
                yield ApprovedAsset(asset=identifier, certainty=find.certainty)
                continue
            texts = [asset.canonical_path, asset.companions]
            sealed = await self._seals.seal(state.tenant, state.id, texts)
            yield ApprovedAsset(
                asset=identifier, certainty=find.certainty, path=sealed.text, key=sealed.key
            )

    async def join_late(self, state: Erasure) -> None:
        """Erase the late sidecars of assets that were erased, and find the other late companions.

        What managers left out stays, with its sidecars. What was found by its own texts is a find
        already. May be repeated. Raises UnavailableError.
        """
        left_out: set[str] | None = None
        known = Near(self._assets, state.tenant)
        async for item in self._store.approved_before(state):
            if item.path is None or item.key is None:
                continue
            sealed = Sealed(item.path, item.key)
            path, key = await self._seals.open(state.tenant, state.id, sealed)
            near = await known.of(key, path)
            if not near:
                continue
            if left_out is None:
                left_out = await self._left_out(state)
            found = await self._found(state, near)
            joining = [one for one in joins_unseen(near, ()) if one.id not in left_out | found]
            await self._erase(state, joining)
            if {one.id for one in near if not is_sidecar(one.canonical_path)} <= left_out:
                continue
            told = left_out | found
            asked = [one for one in near if one.id not in told and one.canonical_path != path]
            if asked:
                await self._ask(state, item, asked)

    async def _found(self, state: Erasure, near: Collection[Asset]) -> set[str]:
        """Return the ids of the assets in finds of the present run, besides earlier `_ask`s."""
        finds = [await self._store.find(state, state.discovery, one.id) for one in near]
        return {one.id for find in finds if find and not find.companion_of for one in find.assets}

    async def _erase(self, state: Erasure, sidecars: Collection[Asset]) -> None:
        if sidecars:
            await self._log.defer_unless_appendable(state.tenant)
        for one in sidecars:
            step = rules.entry(state, "asset.erased", SYSTEM, f"assets/{one.id}")
            await self._assets.erase(state.tenant, one.id, state.id, step)

    async def _ask(self, state: Erasure, item: ApprovedAsset, late: Collection[Asset]) -> None:
        find = Find(
            id=min(one.id for one in late),
            certainty=item.certainty,
            assets=tuple(FoundAsset(id=one.id, size=one.size) for one in late),
            fields=(),
            companion_of=item.asset,
        )
        await self._store.add_find(state, find)

    async def _left_out(self, state: Erasure) -> set[str]:
        """Return the ids of the assets that managers left out of the runs before."""
        return {
            one.id
            for run in state.earlier
            async for find in self._store.finds_of(state, run)
            if decision_on(find, state.choice)[0] == "leave-out"
            for one in find.assets
        }

    async def _with_late(
        self, state: Erasure, find: Find, known: "Near"
    ) -> dict[str, Asset | None]:
        """Return the assets of a find, and the sidecars that came since, by id."""
        found = dict[str, Asset | None]()
        for one in find.assets:
            asset = await self._assets.look_up(state.tenant, one.id)
            found[one.id] = asset if isinstance(asset, Asset) else None
        for asset in [one for one in found.values() if one is not None]:
            near = await known.of(asset.companions, asset.canonical_path)
            found |= {one.id: one for one in joins_unseen(near, found)}
        return found


class Near:
    """The assets near a path, of one tenant; the last look-up is kept, for files lie in folders."""

    def __init__(self, assets: Assets, tenant: str) -> None:
        self._assets = assets
        self._tenant = tenant
        self._last: tuple[str, list[Asset]] | None = None

    async def of(self, key: str | None, path: str) -> list[Asset]:
        """Return the assets that belong to a path, the versions of the path itself among them.

        The companions of companions too, so that every member leads to the same group.
        """
        if key is None:
            return []
        if self._last is None or self._last[0] != key:
            self._last = key, await self._assets.companions_of(self._tenant, key)
        near = self._last[1]
        paths = {one.canonical_path for one in near} | {path}
        wanted, waiting = {path}, [path]
        while waiting and wanted < paths:
            member = waiting.pop()
            more = set(companions(member, paths - {member})) - wanted
            wanted |= more
            waiting += more
        return [one for one in near if one.canonical_path in wanted]


def joins_unseen(group: Collection[Asset], going: Collection[str]) -> list[Asset]:
    """Return the sidecars of a group that go with the photo, though nobody has seen the sidecars.

    `going` has the ids of the assets that go. Beside a photo that stays, or that nobody has decided
    on, a sidecar may be the sidecar of that photo, and no sidecar goes.
    """
    late = [one for one in group if one.id not in going]
    return late if all(is_sidecar(one.canonical_path) for one in late) else []
