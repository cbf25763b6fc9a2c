"""Tables that fail as told: before or after a commit, and some time later."""

import asyncio

from shared.errors import UnavailableError


class DiedError(Exception):
    """The process of the appender died here: nothing that it asks for is done from now on."""


class FaultyTables:
    """Passes everything on to `tables`, but does to each commit what is next in `faults`.

    `ok`: nothing. `before`: unavailable, not committed. `after`: committed, and the answer lost.
    `late`: unavailable, and committed before the next thing that is asked for. `die before` and
    `die after`: as these, and everything after it fails too.
    """

    def __init__(self, tables, faults=()):
        self._tables = tables
        self.faults = list(faults)
        self.commits = 0
        self.began = asyncio.Event()
        self._is_dead = False
        self._late = None

    async def get(self, *args):
        await self._arrive()
        return await self._tables.get(*args)

    def between(self, *args, **options):
        return self._tables.between(*args, **options)

    def scan(self, *args, **options):
        return self._tables.scan(*args, **options)

    async def commit(self, table, operations):
        await self._arrive()
        self.commits += 1
        self.began.set()
        # Others get their turn, as during a request.
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault == "late":
            self._late = (table, operations)
        etags = (
            [] if fault in {"before", "late", "die before"} else await self._do(table, operations)
        )
        if fault.startswith("die"):
            self._is_dead = True
            raise DiedError
        if fault != "ok":
            raise UnavailableError("storage")
        return etags

    async def _do(self, table, operations):
        return await self._tables.commit(table, operations)

    async def _arrive(self):
        """What was on its way arrives now, and may have come too late."""
        if self._is_dead:
            raise DiedError
        if self._late is not None:
            (table, operations), self._late = self._late, None
            await asyncio.gather(self._do(table, operations), return_exceptions=True)
