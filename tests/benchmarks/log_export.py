"""The verifiable export of a log: what an instance of the app holds meanwhile, and its rate.

An instance of its own, with the stack's settings, has exported the log of a tenant that has no more
than one entry: what it holds then is *idle*, as every library on the way is loaded. Then it exports
the log that is measured.

python -m tests.benchmarks.log_export TENANT    is that instance; see `main`
"""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from shared.composition import App
from shared.identity.rules import TENANT_ADMIN, Caller
from shared.settings import read_settings
from tests.benchmarks.results import Result
from tests.benchmarks.watch import Watch

# What Azure gives a request over HTTP.
REQUEST_SECONDS: Final = 230


@dataclass(frozen=True)
class Exported:
    """An export of so many entries. `held` and `idle` are in MiB."""

    entries: int
    seconds: float
    held: float
    idle: float


def exported(stack: Stack, tenant: str, entries: int) -> Exported:
    """Export the log of a tenant, which has so many entries and gets one more."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.log_export", tenant],
        cwd=ROOT,
        env=stack.settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as instance:
        try:
            _answer(instance)
            with Watch(instance.pid) as watch:
                seconds = float(_answer(instance))
        except BaseException:
            instance.kill()
            raise
    return Exported(entries, seconds, watch.peak, watch.idle)


def results(few: Exported, many: Exported) -> list[Result]:
    """The figures of two exports, of which the second is of more entries."""
    rate = many.entries / many.seconds
    return [
        Result("log-export-memory", many.held / few.held, f"x {few.entries:,} entries", "<= 1.1"),
        Result("log-export-above-idle", many.held - many.idle, "MiB"),
        Result("log-export-above-idle-few", few.held - few.idle, "MiB"),
        Result("log-export-rate", rate / 1000, "thousand entries/s"),
        Result("log-export-in-a-request", rate * REQUEST_SECONDS / 1e6, "million entries"),
    ]


def _answer(instance: "subprocess.Popen[str]") -> str:
    """Tell an instance to go on, and wait for what it says then."""
    assert instance.stdin is not None
    assert instance.stdout is not None
    instance.stdin.write("\n")
    instance.stdin.flush()
    if not (answer := instance.stdout.readline()):
        raise StackError("An instance that exports a log has failed.")
    return answer


async def main(tenant: str) -> None:
    """Export a log for each line on standard input, and say each time how long it took."""
    app = App(read_settings(os.environ))
    caller = Caller("benchmark", frozenset({TENANT_ADMIN}), tenant, "benchmark")
    for log in (f"{tenant}-idle", tenant):
        sys.stdin.readline()
        started = time.perf_counter()
        await app.log_exports.whole(log, caller)
        print(time.perf_counter() - started, flush=True)  # noqa: T201 - what `exported` reads
    # Until nobody watches any more.
    sys.stdin.readline()
    for client in (app.tables, app.blobs, app.bus, app.secrets):
        await client.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
