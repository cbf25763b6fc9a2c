"""`make up` and `make down`: the stack in the background, restarted, stopped, interrupted."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from infra.local import supervisor
from infra.local.errors import StackError
from infra.local.ports import LOOPBACK, Ports
from infra.local.programs import FAULTS, PROCESSES
from tests.processes import has_ended, still_running

# `up` in a program of its own, which can be interrupted; the program prints each step.
UP = """
import json, sys
from pathlib import Path
from infra.local import supervisor
from infra.local.ports import Ports

supervisor.up(
    Ports(**json.loads(sys.argv[1])),
    lambda step: print(step, flush=True),
    directory=Path(sys.argv[2]),
    info_file=Path(sys.argv[3]),
)
"""


class Background:
    """A background stack apart from that of `make up`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "stack"
        self.info_file = directory / "stack.json"
        self.ports = Ports.free()

    def up(
        self, ports: Ports | None = None, processes: Sequence[str] = PROCESSES
    ) -> dict[str, Any]:
        return supervisor.up(
            ports or self.ports,
            lambda _: None,
            processes=processes,
            directory=self.directory,
            info_file=self.info_file,
        )

    def down(self) -> bool:
        return supervisor.down(directory=self.directory, info_file=self.info_file)

    def start_up(self) -> subprocess.Popen[str]:
        arguments = (json.dumps(asdict(self.ports)), str(self.directory), str(self.info_file))
        return subprocess.Popen(
            [sys.executable, "-c", UP, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def assert_gone(self) -> None:
        self.ports.check_free(asdict(self.ports))
        assert not self.info_file.exists()
        assert not self.down()


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Background]:
    made = Background(tmp_path)
    yield made
    made.down()


def crash(pid: int) -> None:
    """Kill a process that the supervisor has yet to collect, and wait for the death."""
    process = psutil.Process(pid)
    process.kill()
    while not has_ended(process):
        time.sleep(0.01)


def pids(info: dict[str, Any]) -> dict[str, int]:
    return {name: process["pid"] for name, process in info["processes"].items()}


def test_up_with_faults_puts_the_proxy_before_the_apps_storage(background: Background) -> None:
    info = background.up(processes=("azurite", FAULTS))
    assert list(info["processes"]) == ["azurite", FAULTS]
    answer = httpx.get(info["endpoints"]["faults"], trust_env=False)
    assert answer.json() == {"plan": {"rules": [], "seed": 0}, "hits": []}
    ports = background.ports
    for setting in ("DAM_STORAGE", "AzureWebJobsStorage"):
        assert f":{ports.faulty_blob}/" in info["settings"][setting]
    assert f":{ports.blob}/" in info["connection_strings"]["storage"]


def test_up_again_brings_back_what_has_died_and_down_ends_all(background: Background) -> None:
    info = background.up()
    assert json.loads(background.info_file.read_text()) == info
    before = pids(info)
    crash(before["host"])
    crash(before["keyvault"])
    again = background.up()
    after = pids(again)
    assert json.loads(background.info_file.read_text()) == again
    assert {name for name in before if before[name] != after[name]} == {"host", "keyvault"}
    third = background.up()
    assert pids(third) == after, (background.directory / "logs/supervisor.log").read_text()
    assert third == again
    everything = [psutil.Process(pid) for pid in (*after.values(), again["supervisor"])]
    assert background.down()
    assert still_running(everything) == []
    background.assert_gone()


def test_up_with_other_ports_says_to_stop_first(background: Background) -> None:
    background.up()
    with pytest.raises(StackError, match="make down"):
        background.up(Ports.free())


def test_the_services_run_without_the_host_whose_port_stays_free(background: Background) -> None:
    services = [name for name in PROCESSES if name != "host"]
    assert list(background.up(processes=services)["processes"]) == services
    background.ports.check_free(["host"])
    with pytest.raises(StackError, match="make down"):
        background.up()
    assert background.down()
    background.assert_gone()


def test_one_who_asks_and_goes_away_does_not_end_the_stack(background: Background) -> None:
    supervised = background.up()["supervisor"]
    for dead in ("keyvault", "identity"):
        crash(pids(json.loads(background.info_file.read_text()))[dead])
    with socket.socket(socket.AF_UNIX) as asking, contextlib.chdir(background.directory):
        asking.connect(supervisor.SOCKET)
        asked = {"ports": asdict(background.ports), "processes": PROCESSES}
        asking.sendall(json.dumps(asked).encode() + b"\n")
    assert background.up()["supervisor"] == supervised


def test_a_crashed_supervisor_leaves_nothing_that_is_taken_for_running(
    background: Background,
) -> None:
    info = background.up()
    left = [psutil.Process(pid) for pid in pids(info).values()]
    killed = psutil.Process(info["supervisor"])
    killed.kill()
    assert still_running([killed, *left]) == []
    assert background.info_file.exists()
    assert not background.down()
    assert not background.info_file.exists()
    assert background.up()["supervisor"] != info["supervisor"]


def test_a_taken_port_is_one_message_and_nothing_runs(background: Background) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(StackError) as raised:
            background.up(replace(background.ports, table=taken))
    assert len(str(raised.value).splitlines()) == 1
    assert f"Port {taken} (table)" in str(raised.value)
    assert "VOUCHSAFE_PORT_TABLE" in str(raised.value)
    background.assert_gone()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("step", ["Starting azurite", "identity is ready", "Starting host"])
def test_an_interrupted_start_leaves_nothing(
    background: Background, sent: signal.Signals, step: str
) -> None:
    starting = background.start_up()
    assert starting.stdout is not None
    for line in starting.stdout:
        if line.strip() == step:
            starting.send_signal(sent)
            break
    starting.stdout.close()
    starting.wait()
    # Both when the supervisor has not yet noticed and when the supervisor has gone.
    background.down()
    background.assert_gone()


def test_two_ups_at_once_share_one_stack(background: Background) -> None:
    infos: list[dict[str, Any]] = []
    both = [threading.Thread(target=lambda: infos.append(background.up())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(infos) == 2
    assert infos[0] == infos[1]
