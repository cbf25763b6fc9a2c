"""A process that appends events to a log, notes each that it was told is kept, and may be killed.

python -m tests.accesslog.append_child <tenant> <source> <events> <file> <commit> <moment>, with
STORAGE in the environment. It goes on behind what is noted in <file>, with what it was not told
before. It kills itself, as a crash would, at its commit of that number, if it gets so far: so many
milliseconds after that was sent.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from shared.accesslog import LogStore
from shared.azure.tables import AzureTables
from tests.accesslog.logs import SECRET, entry

# In portions of several sizes, as callers come: 51 events in 5 commits.
PORTIONS = (1, 7, 2, 40, 1)


class KillingTables:
    """Tables whose user is killed at one of its commits."""

    def __init__(self, tables, commit, moment):
        self._tables = tables
        self._left = commit
        self._moment = moment

    def __getattr__(self, name):
        return getattr(self._tables, name)

    async def commit(self, table, operations):
        self._left -= 1
        sent = asyncio.create_task(self._tables.commit(table, operations))
        if not self._left:
            await asyncio.wait([sent], timeout=self._moment / 1000)
            os.kill(os.getpid(), signal.SIGKILL)
        return await sent


def noted(file):
    """How many events a process was told are kept."""
    return int((file.read_text().split() or ["0"])[-1]) if file.exists() else 0


async def append(tenant, source, events, file, commit, moment):
    """Append the events in their order."""
    tables = AzureTables(os.environ["STORAGE"])
    store = LogStore(KillingTables(tables, commit, moment), SECRET)
    done = noted(file)
    with file.open("a") as notes:
        for portion in PORTIONS * events:
            upto = min(done + portion, events)
            if done == upto:
                break
            # The last one that was noted comes again too.
            numbers = range(max(0, done - 1), upto)
            await store.append(tenant, [entry(number, source=source) for number in numbers])
            done = upto
            notes.write(f"{done}\n")
            notes.flush()
    await tables.close()


if __name__ == "__main__":
    tenant, source, events, file, commit, moment = sys.argv[1:]
    asyncio.run(append(tenant, source, int(events), Path(file), int(commit), float(moment)))
