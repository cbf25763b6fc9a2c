"""HTTP: the local host's share of a request, against the same handler on uvicorn alone.

Each server runs a handler that answers with five bytes. A keep-alive connection to each server asks
in turns, request after request. The client's own time is in the two figures.
"""

import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from infra.local import probes, settings
from infra.local.errors import StackError
from infra.local.ports import LOOPBACK, Ports
from infra.local.processes import Guard, Program
from infra.local.stack import Stack
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.results import Result

HELLO: Final = Path(__file__).parent / "hello"
PATH: Final = "/api/hello"
ROUNDS: Final = BySize(2, 11, 11)
REQUESTS: Final = 200
# Tests run through the local host, which may double the time of a request at most. The project's
# own bound.
GOALS: Final = {"http": "<= 2"}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Ask both servers in turns, and compare the medians of the rounds."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), app=HELLO, processes=["host"]) as stack,
        _bare(Path(folder)) as bare,
        closing(http.client.HTTPConnection(LOOPBACK, stack.ports.host, timeout=10)) as to_host,
        closing(http.client.HTTPConnection(LOOPBACK, bare, timeout=10)) as to_bare,
    ):
        taken: dict[http.client.HTTPConnection, list[float]] = {to_host: [], to_bare: []}
        rounds = ROUNDS.at(size) + 1
        # The first round finds caches empty and does not count.
        for number in range(rounds):
            step("asking both servers in turns", number, rounds)
            for connection, times in taken.items():
                times.append(_ask(connection))
        host, alone = (statistics.median(times[1:]) for times in taken.values())
    return [
        Result("http", host / alone, "of bare uvicorn's time", GOALS["http"]),
        Result("http-overhead", (host - alone) * 1000, "ms more than bare uvicorn"),
    ]


@contextmanager
def _bare(folder: Path) -> Iterator[int]:
    """Run the handler on uvicorn alone; yields its port."""
    port = Ports.free().host
    server = Program(
        name="bare",
        command=[sys.executable, HELLO / "bare.py", str(port)],
        environment=settings.base_environment(os.environ),
        directory=settings.ROOT,
        log=folder / "bare.log",
        is_ready=probes.answering(port, PATH),
    )
    with Guard() as guard:
        server.start(guard)
        try:
            server.wait_ready()
            yield port
        finally:
            server.end(guard)


def _ask(connection: http.client.HTTPConnection) -> float:
    """Return the seconds a request, of `REQUESTS` requests in a row."""
    started = time.perf_counter()
    for _ in range(REQUESTS):
        connection.request("GET", PATH)
        answer = connection.getresponse()
        if (answer.status, answer.read()) != (http.HTTPStatus.OK, b"hello"):
            raise StackError(f"{PATH} was answered with {answer.status}.")
    return (time.perf_counter() - started) / REQUESTS


BENCHMARK: Final = Benchmark(
    "http", "a request through the local host, against uvicorn alone", run, BySize(2, 8, 8), GOALS
)
