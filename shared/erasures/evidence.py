"""The evidence of finds: the texts that matched, read from the records anew.

No row of a request has a text.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.assets.rules import Asset
from shared.assets.service import Assets
from shared.erasures.finds import Find, decision_on, no_asset_of_find, no_such_find
from shared.erasures.rules import Erasure, request_over
from shared.erasures.sealing import ErasureSeals
from shared.erasures.store import ErasureStore
from shared.errors import ConflictError, foreign_continuation
from shared.subjects.matching import Match, Matcher
from shared.subjects.notes import NOT_OPENED
from shared.subjects.search import Search, evidence_in

SHOWN: Final = 20
"""Matches of an asset that a page of finds has at most."""


@dataclass(frozen=True, slots=True)
class AssetEvidence:
    """An asset of a find, with a page of its matches, each with the text that matched.

    `count` is the number of all matches; a companion may have none. `note` is the note on the
    asset's record.
    """

    asset: Asset
    matches: Sequence[tuple[Match, str]]
    count: int = 0
    note: str | None = None


class FindEvidence:
    """The evidence of every tenant's finds."""

    def __init__(
        self, store: ErasureStore, assets: Assets, search: Search, seals: ErasureSeals
    ) -> None:
        self._store = store
        self._assets = assets
        self._search = search
        self._seals = seals

    async def of_finds(self, state: Erasure, finds: Sequence[Find]) -> list[list[AssetEvidence]]:
        """Return the assets of each find that are there, each with the first matches.

        A completed request has no texts. Raises ConflictError without the tenant's data key.
        """
        has_identifiers = state.identifiers is not None
        matcher = await self._seals.matcher_to_show(state) if has_identifiers and finds else None
        return [await self._of_find(state.tenant, find, matcher) for find in finds]

    async def _of_find(
        self, tenant: str, find: Find, matcher: Matcher | None
    ) -> list[AssetEvidence]:
        shown = []
        for one in find.assets:
            asset = await self._assets.look_up(tenant, one.id)
            if isinstance(asset, Asset):
                shown.append(await self._read(asset, matcher, 0, SHOWN))
        return shown

    async def matches(
        self,
        tenant: str,
        request: str,
        find: str,
        asset: str,
        *,
        size: int,
        continuation: str | None,
    ) -> tuple[AssetEvidence, str | None]:
        """Return a page of the matches in an asset of a find, and the token of the next page.

        Raises NotFoundError for a find or an asset that the preview does not have, ConflictError
        for a completed request and without the tenant's data key, and MalformedInputError.
        """
        start = _place(continuation)
        state, _ = await self._store.load(tenant, request)
        if state.status == "completed":
            raise request_over()
        known = await self._store.find(state, state.shown, find)
        if known is None:
            raise no_such_find()
        found = await self._assets.look_up(tenant, asset)
        if asset not in {one.id for one in known.assets} or not isinstance(found, Asset):
            raise no_asset_of_find()
        evidence = await self._read(found, await self._seals.matcher_to_show(state), start, size)
        end = start + len(evidence.matches)
        return evidence, str(end) if end < evidence.count else None

    async def require(self, state: Erasure) -> None:
        """Raise ConflictError where the texts of an included find cannot be shown any more.

        The records of finds are opened only where a version of the data key is gone, because a
        reread may have sealed the record anew. Raises UnavailableError.
        """
        await self._seals.matcher_to_show(state)
        usable = dict[str, bool]()
        async for find in self._store.finds(state):
            if decision_on(find, state.choice)[0] == "leave-out":
                continue
            for version in find.keys:
                if version not in usable:
                    usable[version] = await self._seals.is_usable(state.tenant, version)
            if not all(usable[version] for version in find.keys):
                await self._require_opened(state.tenant, find)

    async def _require_opened(self, tenant: str, find: Find) -> None:
        for one in find.assets:
            record = await self._search.opened(tenant, one.id)
            if record is not None and record.note == NOT_OPENED:
                raise ConflictError(
                    "evidence-unreadable",
                    "The data key of a find that is included is destroyed or disabled: its texts"
                    " cannot be shown.",
                    "Ask the vendor to restore the key, or leave the finds out whose assets have"
                    " the note metadata-not-opened.",
                )

    async def _read(
        self, asset: Asset, matcher: Matcher | None, start: int, size: int
    ) -> AssetEvidence:
        record = await self._search.opened(asset.tenant, asset.id) if matcher else None
        if record is None or matcher is None:
            return AssetEvidence(asset, ())
        matches, count = await asyncio.to_thread(evidence_in, matcher, record, start, size)
        return AssetEvidence(asset, matches, count, record.note)


def _place(continuation: str | None) -> int:
    """Read the place of the first match. Raises MalformedInputError for a foreign token."""
    if continuation is None:
        return 0
    if not (continuation.isascii() and continuation.isdecimal() and len(continuation) < 10):
        raise foreign_continuation()
    return int(continuation)
