"""The search of one range of a tenant's sealed records."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from shared.assets.rules import NO_RECORD
from shared.assets.service import ASSETS, record_row
from shared.ids import key
from shared.metadata.worker.result import MetadataText
from shared.ports import Page, Row, Tables
from shared.subjects.matching import CERTAINTIES, Match, Matcher
from shared.subjects.notes import NOT_OPENED
from shared.subjects.records import PATH, Opened, Records
from shared.subjects.unrecorded import UnrecordedAssets

# Rows of a page: the most that the service gives at once.
_PAGE: Final = 1000
FIELD_NAME: Final = "field-name"
"""The field of a match in the name of a field, which a file may choose."""
# Characters of a text that are shown.
_EXCERPT: Final = 1000
_MAX_FIELD_NAMES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """An asset with the matches in its texts, the surest first.

    `key` is the version of the data key that sealed the texts.
    """

    asset: str
    matches: Sequence[Match]
    key: str


@dataclass(slots=True)
class Searched:
    """The result of a search. `assets` counts the records; `last` is the last id that was searched.

    `notes` counts the assets that could not be looked into, by note. `is_whole` tells that the
    range has no further asset.
    """

    assets: int = 0
    found: list[Found] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    last: str = ""
    is_whole: bool = False


class Search:
    """Searches the records of every tenant."""

    def __init__(self, tables: Tables, records: Records) -> None:
        self._tables = tables
        self._records = records
        self._unrecorded = UnrecordedAssets(tables)

    async def read(
        self, tenant: str, matcher: Matcher, *, after: str, upto: str, most: int
    ) -> Searched:
        """Search the records of the assets after the id `after` up to the id `upto`.

        Stops after `most` records, or the few more of a page. Memory holds two pages. An asset
        without a record has the note NO_RECORD. Raises UnavailableError.
        """
        without = await self._unrecorded.find(tenant, after, upto, most)
        searched = await self._records_between(tenant, matcher, after, without.upto, most)
        if searched.is_whole:
            searched.last, searched.is_whole = without.upto, without.upto == upto
        missing = sum(one <= searched.last for one in without.assets)
        searched.notes.update({NO_RECORD: missing} if missing else {})
        return searched

    async def confirm_recorded(self, tenant: str, at: datetime) -> None:
        """Keep that a search of every range, begun at `at`, found no asset without a record."""
        await self._unrecorded.confirm(tenant, at)

    async def _records_between(
        self, tenant: str, matcher: Matcher, after: str, upto: str, most: int
    ) -> Searched:
        searched = Searched(last=after)
        # No RowKey of a record continues another RowKey.
        between = record_row(after) + "!", record_row(upto) + "!"
        coming: asyncio.Task[Page] | None = asyncio.create_task(self._page(tenant, between, None))
        while coming is not None:
            page = await coming
            going_on = page.continuation is not None and searched.assets + len(page.rows) < most
            coming = None
            if going_on:
                coming = asyncio.create_task(self._page(tenant, between, page.continuation))
            try:
                opened = await self._opened(tenant, page.rows)
                searched.found += await asyncio.to_thread(_matched, matcher, opened)
            except BaseException:
                if coming is not None:
                    coming.cancel()
                raise
            searched.assets += len(opened)
            searched.notes.update(one.note for one in opened if one.note is not None)
            searched.last = opened[-1].asset if opened else searched.last
            searched.is_whole = page.continuation is None
        return searched

    async def _page(self, tenant: str, between: tuple[str, str], continuation: str | None) -> Page:
        return await self._tables.page(
            ASSETS, key(tenant), size=_PAGE, between=between, continuation=continuation
        )

    async def opened(self, tenant: str, asset: str) -> Opened | None:
        """Return the opened record of an asset; None for an asset without a record."""
        row = await self._tables.get(ASSETS, key(tenant), record_row(asset))
        return None if row is None else (await self._opened(tenant, [row]))[0]

    async def _opened(self, tenant: str, rows: Sequence[Row]) -> list[Opened]:
        """Open records. The blob of a record that was replaced meanwhile is gone: open the new."""
        opened = await self._records.open(tenant, rows)
        for place, row in enumerate(rows):
            if opened[place].note != NOT_OPENED or "blob" not in row.values:
                continue
            present = await self._tables.get(ASSETS, key(tenant), row.row)
            if present is not None and present.etag != row.etag:
                opened[place] = (await self._records.open(tenant, [present]))[0]
        return opened

    async def not_opened(self, tenant: str, assets: Sequence[str]) -> set[str]:
        """Return those of `assets`, whose ids are in order, whose record cannot be opened now.

        Raises UnavailableError.
        """
        found, continuation = set[str](), None
        while assets:
            between = record_row(assets[0]), record_row(assets[-1]) + "!"
            page = await self._page(tenant, between, continuation)
            opened = await self._records.open(tenant, page.rows)
            found |= {one.asset for one in opened if one.note == NOT_OPENED}
            continuation = page.continuation
            if continuation is None:
                break
        return found & set(assets)


def _matched(matcher: Matcher, records: Sequence[Opened]) -> list[Found]:
    names = _FieldNames(matcher)
    found = ((record, _matches_in(matcher, names, record)) for record in records)
    return [
        Found(record.asset, [match for match, _ in matches], record.key)
        for record, matches in found
        if matches
    ]


class _FieldNames:
    """Finds the identifiers in the names of fields, which a file may choose; each name once."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._known: dict[str, list[Match]] = {}

    def matches(self, field: str) -> list[Match]:
        """Return the matches in the name of a field."""
        found = self._known.get(field)
        if found is None:
            found = self._matcher.match(FIELD_NAME, field) if field != PATH else []
            if len(self._known) < _MAX_FIELD_NAMES:
                self._known[field] = found
        return found


def evidence_in(
    matcher: Matcher, record: Opened, start: int, size: int
) -> tuple[list[tuple[Match, str]], int]:
    """Return a page of the matches in a record, each with its text, and the number of all matches.

    The surest matches come first; the page has `size` matches at most, from the place `start` on.
    """
    found = _matches_in(matcher, _FieldNames(matcher), record)
    return [
        (match, text.field if match.field == FIELD_NAME else _excerpt(matcher, match, text))
        for match, text in found[start : start + size]
    ], len(found)


def _matches_in(
    matcher: Matcher, names: _FieldNames, record: Opened
) -> list[tuple[Match, MetadataText]]:
    """Return the matches in the texts of a record and in the names of fields, the surest first.

    A field whose name is a match stands without the part that the file chose, because the name of a
    field is kept in clear.
    """
    found = []
    for text in record.texts:
        for match in matcher.match(text.field, text.text, text.readings):
            hides = names.matches(text.field)
            shown = msgspec.structs.replace(match, field=_hidden(text.field)) if hides else match
            found.append((shown, text))
    for text in {text.field: text for text in record.texts}.values():
        found += [(match, text) for match in names.matches(text.field)]
    return sorted(found, key=lambda one: CERTAINTIES.index(one[0].certainty))


def _excerpt(matcher: Matcher, match: Match, text: MetadataText) -> str:
    """Return the reading of a text, or a part of a long text, that has a match."""
    for reading in (text.text, *text.readings):
        for start in range(0, len(reading), _EXCERPT // 2):
            part = reading[start : start + _EXCERPT]
            if any(one.identifier == match.identifier for one in matcher.match(match.field, part)):
                return part
    return text.text[:_EXCERPT]


def _hidden(field: str) -> str:
    """Return the name of a field without the part that a file chose."""
    return field.partition(":")[0] + ":…"
