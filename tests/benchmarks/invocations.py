"""HTTP: what the local host adds to a request, against the same handler on uvicorn alone.

Both servers run a handler that answers with five bytes. One keep-alive connection to each asks in
turns, one request after another; what the client itself costs is in both times.
"""

import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from infra.local import probes, settings
from infra.local.errors import StackError
from infra.local.ports import LOOPBACK, Ports
from infra.local.processes import Guard, Program
from infra.local.stack import Stack
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

HELLO: Final = Path(__file__).parent / "hello"
PATH: Final = "/api/hello"
ROUNDS: Final = 11
REQUESTS: Final = 200


def run(step: Step) -> list[Result]:
    """Ask both servers in turns, and compare the medians of the rounds."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), app=HELLO, processes=["host"]) as stack,
        _bare(Path(folder)) as bare,
        closing(http.client.HTTPConnection(LOOPBACK, stack.ports.host, timeout=10)) as to_host,
        closing(http.client.HTTPConnection(LOOPBACK, bare, timeout=10)) as to_bare,
    ):
        taken: dict[http.client.HTTPConnection, list[float]] = {to_host: [], to_bare: []}
        # The first round finds caches empty, and is not counted.
        for number in range(ROUNDS + 1):
            step("asking both servers in turns", number, ROUNDS + 1)
            for connection, times in taken.items():
                times.append(_ask(connection))
        host, alone = (statistics.median(times[1:]) for times in taken.values())
    return [
        Result("http", host / alone, "of bare uvicorn's time", "<= 2"),
        Result("http-overhead", (host - alone) * 1000, "ms more than bare uvicorn"),
    ]


@contextmanager
def _bare(folder: Path) -> Iterator[int]:
    """The handler on uvicorn alone; yields its port."""
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
    """Seconds a request, of `REQUESTS` one after another."""
    started = time.perf_counter()
    for _ in range(REQUESTS):
        connection.request("GET", PATH)
        answer = connection.getresponse()
        if (answer.status, answer.read()) != (http.HTTPStatus.OK, b"hello"):
            raise StackError(f"{PATH} was answered with {answer.status}.")
    return (time.perf_counter() - started) / REQUESTS
