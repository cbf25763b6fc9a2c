"""Hosts for tests, with the storage and the broker that the triggers need."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local import probes
from infra.local import settings as stack_settings
from infra.local.ports import Ports
from infra.local.processes import Guard, Program
from infra.local.stack import Stack
from tests.local.host.harness import APPS, ROOT, Host

StartHost = Callable[..., Host]


@pytest.fixture
def new_host(tmp_path: Path) -> Iterator[StartHost]:
    """`new_host("http", NAME="value")`: make a host of the sample app `http`, not yet started."""
    made: list[Host] = []

    def make(app: str | Path, **settings: str) -> Host:
        directory = tmp_path / f"host{len(made)}"
        directory.mkdir()
        host = Host(APPS / app, directory, settings)
        made.append(host)
        return host

    yield make
    for host in made:
        if host.process is not None:
            host.process.kill()
            host.process.wait()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the connection string of an Azurite for one test module."""
    directory = tmp_path_factory.mktemp("storage")
    with Stack(directory, in_memory=True, processes=("azurite",)) as stack:
        yield stack.info["connection_strings"]["storage"]


class Broker:
    """A broker for one test module, with the queues of `Config.json` beside this file."""

    def __init__(self, directory: Path, guard: Guard) -> None:
        port = Ports.free().service_bus
        self._guard = guard
        self.connection = stack_settings.connection_strings(Ports(service_bus=port))["service_bus"]
        self._program = Program(
            name="broker",
            command=[
                *(sys.executable, "-m", "infra.local.servicebus", "--port", str(port)),
                *("--config", Path(__file__).parent / "Config.json"),
            ],
            environment={"PYTHONUNBUFFERED": "1"},
            directory=ROOT,
            log=directory / "broker.log",
            is_ready=probes.listening(port),
        )

    def start(self) -> None:
        self._program.start(self._guard)
        self._program.wait_ready()

    def kill(self) -> None:
        self._program.end(self._guard)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Guard() as guard:
        started = Broker(tmp_path_factory.mktemp("broker"), guard)
        started.start()
        yield started
        started.kill()
