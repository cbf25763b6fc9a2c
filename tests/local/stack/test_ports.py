"""Choosing ports: every wrong setting and every taken port is named at once."""

import argparse
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, replace

import pytest

from infra.local.errors import StackError
from infra.local.loopback import loopback_address
from infra.local.ports import LOOPBACK, Ports
from infra.local.settings import ROOT


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_the_defaults_change_by_settings() -> None:
    settings = {"VOUCHSAFE_PORT_BLOB": "11000", "VOUCHSAFE_PORT_SERVICE_BUS": "5673"}
    ports = Ports.from_environment(settings | {"BLOB": "1"})
    assert ports == replace(Ports(), blob=11000, service_bus=5673)


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "http", "7071 ", "\u0667"])
def test_a_setting_that_is_no_port_is_named(text: str) -> None:
    with pytest.raises(StackError, match="VOUCHSAFE_PORT_HOST") as raised:
        Ports.from_environment({"VOUCHSAFE_PORT_HOST": text, "VOUCHSAFE_PORT_BLOB": "x"})
    assert "VOUCHSAFE_PORT_BLOB" in str(raised.value)


def test_two_services_on_one_port_are_named() -> None:
    with pytest.raises(StackError, match="VOUCHSAFE_PORT_QUEUE and VOUCHSAFE_PORT_BLOB"):
        Ports.from_environment({"VOUCHSAFE_PORT_QUEUE": "10000"})


def test_free_ports_are_free_and_differ() -> None:
    ports = Ports.free()
    ports.check_free(["blob", "queue", "table", "service_bus", "host"])
    assert len(set(astuple(ports))) == 16


def test_free_ports_stay_reserved_before_a_service_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import sys
from dataclasses import astuple
from infra.local import ports
ports.FREE_PORTS = range(32000, 32700)
print(*astuple(ports.Ports.free()), flush=True)
sys.stdin.read()
"""
    monkeypatch.setattr("infra.local.ports.FREE_PORTS", range(32000, 32700))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin
        assert other.stdout
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = {port for _ in range(30) for port in astuple(Ports.free())}
        other.stdin.close()
    assert len(theirs) == 16
    assert not theirs & ours


def test_every_taken_port_is_named_with_its_setting(taken: int) -> None:
    ports = replace(Ports.free(), table=taken, key_vault=taken)
    with pytest.raises(StackError) as raised:
        ports.check_free(["blob", "table", "key_vault"])
    lines = str(raised.value).splitlines()
    assert [str(taken) in line for line in lines] == [True, True]
    assert "VOUCHSAFE_PORT_TABLE" in lines[0]
    assert "VOUCHSAFE_PORT_KEY_VAULT" in lines[1]


def test_only_loopback_addresses_are_listened_on() -> None:
    assert loopback_address("127.0.0.1") == "127.0.0.1"
    for address in ("0.0.0.0", "192.168.1.7", "::", "localhost", ""):
        with pytest.raises(argparse.ArgumentTypeError, match=r"127\.0\.0\.1 only"):
            loopback_address(address)
