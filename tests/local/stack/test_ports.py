"""Choosing ports: every wrong setting and every taken port is named at once."""

import argparse
import socket
from collections.abc import Iterator
from dataclasses import astuple, replace

import pytest

from infra.local.errors import StackError
from infra.local.loopback import loopback_address
from infra.local.ports import LOOPBACK, Ports


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
    assert len(set(astuple(ports))) == 12


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
