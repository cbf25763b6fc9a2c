"""`python -m tests.benchmarks.export_instance TENANT`: an instance of the app that exports logs.

For each line on standard input the instance exports a log and prints the seconds. The first log has
one entry at most, and its export loads every library on the way. The second is the log of TENANT.
"""

import asyncio
import os
import sys
import time

from shared.identity.rules import TENANT_ADMIN, Caller
from shared.settings import read_settings
from tests.compositions import App


async def main(tenant: str) -> None:
    """Export a log for each line on standard input, and print the seconds of each export."""
    app = App(read_settings(os.environ))
    caller = Caller("benchmark", frozenset({TENANT_ADMIN}), tenant, "benchmark")
    for log in (f"{tenant}-idle", tenant):
        sys.stdin.readline()
        started = time.perf_counter()
        await app.log_exports.whole(log, caller)
        print(time.perf_counter() - started, flush=True)  # noqa: T201 - the benchmark reads it
    # The watch on this process ends first.
    sys.stdin.readline()
    await app.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
