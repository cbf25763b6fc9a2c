"""The stack's processes: start, death and end, with no process left behind."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from infra.local.errors import StackError
from infra.local.ports import LOOPBACK, Ports
from infra.local.programs import FAULTS, PORTS_OF, PROCESSES
from infra.local.stack import Stack
from tests.processes import still_running

SMALL = ("identity", "keyvault")

# Starts a stack in the given directory, prints the running processes, then hangs or fails.
DRIVER = """
import json, sys, time
from pathlib import Path
from infra.local.stack import Stack

directory, end = Path(sys.argv[1]), sys.argv[2]
with Stack(directory, processes=("azurite", "identity", "keyvault"), in_memory=True) as stack:
    print(json.dumps([process["pid"] for process in stack.info["processes"].values()]), flush=True)
    if end == "fail":
        raise SystemExit("failed")
    time.sleep(600)
"""


def test_the_whole_stack_listens_on_loopback_only(stack: Stack) -> None:
    assert list(stack.info["processes"]) == list(PROCESSES)
    heard = set()
    for name in PROCESSES:
        for connection in psutil.Process(stack.pid(name)).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == LOOPBACK, name
                heard.add(connection.laddr.port)
    assert heard == {getattr(stack.ports, port) for name in PROCESSES for port in PORTS_OF[name]}


def test_an_idle_connection_outlives_the_clients_patience(tmp_path: Path) -> None:
    """The SDKs keep an idle connection for 15 seconds; no server may hang up first."""
    with Stack(tmp_path, in_memory=True, processes=[*PROCESSES, FAULTS]) as stack:
        urls = stack.info["endpoints"]
        asked = [
            f"{urls['app']}/api/health",
            f"{urls['token_issuer']}/.well-known/openid-configuration",
            f"{urls['key_vault']}/secrets",
            f"{urls['resource_manager']}/healthstatus",
            urls["faults"],
            *(urls[service] for service in ("blob", "queue", "table")),
        ]
        trusted = ssl.create_default_context(cafile=stack.info["ca_file"])
        patient = httpx.Limits(keepalive_expiry=60)
        with httpx.Client(verify=trusted, limits=patient, trust_env=False) as client:
            first = [_connection_of(client.get(url)) for url in asked]
            time.sleep(16)
            assert [_connection_of(client.get(url)) for url in asked] == first


def _connection_of(answer: httpx.Response) -> tuple[str, int]:
    """Return the client's end of the answer's connection."""
    return answer.extensions["network_stream"].get_extra_info("client_addr")


def test_the_callers_settings_do_not_reach_the_app(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SERVICE_BUS", "the developer's own")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with Stack(tmp_path, processes=["identity"]) as stack:
        environment = psutil.Process(stack.pid("identity")).environ()
    assert "SERVICE_BUS" not in environment
    assert "PYTHONDONTWRITEBYTECODE" not in environment


def test_an_interrupted_stop_can_be_gone_on_with(tmp_path: Path) -> None:
    """`make down` right after an interrupted `make up` signals a supervisor that is stopping."""

    class InterruptError(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise InterruptError

    stack = Stack(tmp_path, processes=("azurite", "identity"), in_memory=True)
    stack.start()
    running = [psutil.Process(stack.pid(name)) for name in ("azurite", "identity")]
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        # During the first process's end, which takes longer than the timer.
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        with pytest.raises(InterruptError):
            stack.stop()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        stack.stop()
    # At once: ended by the stack, and not later by the guard.
    assert not any(process.is_running() for process in running)


def test_settings_given_win_over_the_stacks_own(tmp_path: Path) -> None:
    stack = Stack(tmp_path, settings={"STAMP_REGION": "eastus", "EXTRA": "1"})
    assert stack.settings["STAMP_REGION"] == stack.info["settings"]["STAMP_REGION"] == "eastus"
    assert stack.settings["EXTRA"] == "1"
    assert stack.settings["TOKEN_AUDIENCE"] == "api://vouchsafe"


def test_a_killed_process_comes_back_where_it_was(tmp_path: Path) -> None:
    with Stack(tmp_path, processes=SMALL) as stack:
        first, other = stack.pid("keyvault"), stack.pid("identity")
        stack.kill("keyvault")
        assert not psutil.pid_exists(first)
        assert stack.dead() == ["keyvault"]
        with pytest.raises(StackError, match="keyvault does not run"):
            stack.pid("keyvault")
        stack.start()
        assert stack.dead() == []
        assert stack.pid("keyvault") != first
        assert stack.pid("identity") == other
    assert stack.dead() == list(SMALL)
    assert not psutil.pid_exists(other)


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        ports = replace(Ports.free(), key_vault=port)
        with pytest.raises(StackError, match=f"Port {port} .*VOUCHSAFE_PORT_KEY_VAULT"):
            Stack(tmp_path, ports=ports, processes=SMALL).start()
    assert not (tmp_path / "logs").exists()


def test_a_process_that_ends_early_is_named_with_its_log(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text('raise SystemExit("no such luck")')
    stack = Stack(tmp_path, app=app, processes=["identity", "host"])
    with pytest.raises(StackError, match="host ended while it started") as raised:
        stack.start()
    assert "logs/host.log" in str(raised.value)
    assert "no such luck" in str(raised.value)
    assert stack.dead() == ["identity", "host"]
    stack.ports.check_free(["token_issuer", "host"])


def start_driver(directory: Path, end: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    command = [sys.executable, "-c", DRIVER, str(directory), end]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert driver.stdout is not None
    pids = json.loads(driver.stdout.readline())
    return driver, [psutil.Process(pid) for pid in pids]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_the_one_who_started_the_stack(
    tmp_path: Path, sent: signal.Signals
) -> None:
    driver, processes = start_driver(tmp_path, "hang")
    # The guard is a child too, besides the stack's processes.
    processes += psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(sent)
    driver.wait()
    assert still_running(processes) == []


def test_nothing_outlives_a_failed_step(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path), "fail"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "failed" in done.stderr
    for pid in json.loads(done.stdout):
        assert not psutil.pid_exists(pid)
