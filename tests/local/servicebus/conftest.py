"""A broker process for these tests: a free port, and a queue of its own for each test."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local.servicebus.sas import connection_string

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient

ROOT = Path(__file__).parents[3]
# More queues of each kind than the tests of one process use, in any order of the tests.
_EACH = 100
_START_SECONDS = 30
# Kinds of queue, each with the difference from a plain queue.
KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "session": {"RequiresSession": True},
    "brief": {"LockDuration": "PT2S", "MaxDeliveryCount": 3},
    "brief-session": {"LockDuration": "PT2S", "RequiresSession": True},
    "renewed": {"LockDuration": "PT6S"},
    "renewed-session": {"LockDuration": "PT6S", "RequiresSession": True},
    "fleeting": {"DefaultMessageTimeToLive": "PT1S"},
}


def config(queues: list[dict[str, object]]) -> dict[str, object]:
    """Build a Config.json with these queues."""
    namespace = {"Name": "sbemulatorns", "Queues": queues, "Topics": []}
    return {"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "File"}}}


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a broker process."""
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local.servicebus", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready_port(process: subprocess.Popen[str]) -> int:
    """Read the port that a starting broker reports."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("ready 127.0.0.1:"), line + (process.communicate()[1] or "")
    return int(line.rpartition(":")[2])


def stop(process: subprocess.Popen[str]) -> int:
    """Stop a broker with SIGTERM; return the exit code."""
    process.terminate()
    try:
        process.communicate(timeout=_START_SECONDS)
    finally:
        process.kill()
    return process.returncode


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a broker and yield the connection string."""
    path = tmp_path_factory.mktemp("servicebus") / "Config.json"
    common = {
        "DeadLetteringOnMessageExpiration": True,
        "LockDuration": "PT1M",
        "RequiresDuplicateDetection": True,
    }
    queues = [
        {"Name": f"{kind}-{number}", "Properties": common | special}
        for kind, special in KINDS.items()
        for number in range(_EACH)
    ]
    path.write_text(json.dumps(config(queues)), encoding="utf-8")
    process = start("--port", "0", "--config", str(path))
    try:
        yield connection_string(ready_port(process))
    finally:
        assert stop(process) == 0


@pytest.fixture(scope="session")
def new_queue() -> Callable[[str], str]:
    """Return a function that names an unused queue of a kind."""
    numbers = {kind: count() for kind in KINDS}
    return lambda kind: f"{kind}-{next(numbers[kind])}"


@pytest.fixture(scope="session")
async def client(broker: str) -> "AsyncIterator[ServiceBusClient]":
    """Open the real SDK's asynchronous client."""
    from azure.servicebus.aio import ServiceBusClient

    from tests.local.servicebus.sdk import open_links

    async with ServiceBusClient.from_connection_string(broker, retry_total=0) as client:
        yield client
        await asyncio.gather(*(link.close() for link in open_links))
