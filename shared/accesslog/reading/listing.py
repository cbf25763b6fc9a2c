"""The list of a tenant's entries, newest first."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, cast

from shared.accesslog.payloads import readable
from shared.accesslog.reading.filters import EntryFilter, before_of, continuation_of, listed
from shared.accesslog.reading.views import Listed
from shared.accesslog.storage.store import LogStore

# The number of entries that a page reads at most, even with few listed entries.
_MAX_READ: Final = 20_000


class Reading:
    """The listed entries of every tenant's log."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    async def page(
        self, tenant: str, wanted: EntryFilter, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Listed], str | None]:
        """Return a page of the entries that pass `wanted`, and the place to read on.

        A page may have fewer entries than `size`, or no entries, and still have a next page. Raises
        MalformedInputError for a foreign continuation token.
        """
        found: list[Listed] = []
        looked_at = 0
        back = self._store.read_back(tenant, before_of(continuation))
        async with aclosing(cast("AsyncGenerator[tuple[int, bytes]]", back)) as entries:
            async for index, payload in entries:
                if wanted.is_empty:
                    found.append(listed(index, payload))
                elif (entry := readable(payload)) is not None:
                    if wanted.is_past(entry):
                        return found, None
                    if wanted.passes(entry):
                        found.append(listed(index, payload))
                looked_at += 1
                if index and (len(found) == size or looked_at == _MAX_READ):
                    return found, continuation_of(index)
        return found, None

    async def every(self, tenant: str, wanted: EntryFilter) -> AsyncIterator[Listed]:
        """Yield every entry that passes `wanted`, in flat memory."""
        continuation = None
        while True:
            page, continuation = await self.page(
                tenant, wanted, size=1000, continuation=continuation
            )
            for entry in page:
                yield entry
            if continuation is None:
                return
