"""`make demo`, run as a newcomer does; and what is left when it is cut short."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict

import psutil
import pytest

from infra.local.ports import Ports, setting_name
from infra.local.settings import ROOT
from tests.processes import still_running


@contextmanager
def demo(ports):
    """The demo as a process of its own, on these ports."""
    settings = {setting_name(name): str(port) for name, port in asdict(ports).items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.local.demo"],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def listening(ports):
    """The ports that something still listens on."""
    taken = []
    for port in asdict(ports).values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                taken.append(port)
    return taken


def read_until(process, text):
    """The demo's lines up to the one with `text`."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"the demo never said {text!r}:\n{''.join(lines)}")


def test_the_demo_ends_well_and_tells_the_whole_story():
    ports = Ports.free()
    with demo(ports) as process:
        account = process.stdout.read()
        assert process.wait() == 0, account
    for told in (
        "Verdicts",
        "one request gets the upload URLs of",
        "each upload tells that it is filed, or refused and why",
        "both copies of the EICAR test file are found",
        "without consent he is refused",
        "now he is let in",
        "he is refused again",
        "the tenant's log has every attempt",
        "the log says that she saw it",
        "a new search for her finds the namesake alone",
        "is intact: its",
        "one changed word shows",
        "the missed backup of dam-tables is reported",
        f"http://127.0.0.1:{ports.host}/api/tenants/acme/log/entries",
        "All is well",
    ):
        assert told in account
    assert "\x1b" not in account
    assert listening(ports) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_cut_short_leaves_no_process_behind(number):
    ports = Ports.free()
    with demo(ports) as process:
        read_until(process, "is registered")
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) >= 5
        process.send_signal(number)
        assert process.wait() == 130
    assert still_running(started) == []
    assert listening(ports) == []


def test_a_busy_port_is_one_message_that_names_it_and_its_setting():
    ports = Ports.free()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.blob))
        taken.listen()
        with demo(ports) as process:
            account = process.stdout.read()
            assert process.wait() == 1
    assert f"Port {ports.blob} (blob) is in use" in account
    assert "VOUCHSAFE_PORT_BLOB" in account
    assert "Traceback" not in account


def test_a_failed_step_ends_the_demo_with_what_was_there_instead_and_no_process():
    ports = Ports.free()
    with demo(ports) as process:
        read_until(process, "host is ready")
        host = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "infra.local.host" in child.cmdline()
        ]
        host[0].kill()
        account = process.stdout.read()
        assert process.wait() == 1, account
    assert "The demo has failed." in account
    assert listening(ports) == []
