"""The loopback port of each service of the stack."""

import fcntl
import functools
import os
import random
import socket
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Self

from infra.local.errors import StackError

LOOPBACK = "127.0.0.1"

# The lifetime of an idle HTTP connection is Kestrel's, the web server of Azure's Functions host.
# Clients close idle connections sooner, so no client sends a request to a server that is hanging
# up. With uvicorn's default of 5 seconds, also the default of httpx, a client would.
KEEP_ALIVE_SECONDS = 130

# Below the range from which Linux (32768) and macOS (49152) take ports for outgoing connections. No
# client therefore takes a free port before a service listens on the port.
FREE_PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Ports:
    """One port for each service; the defaults are those of Azurite, AMQP and Core Tools."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002
    service_bus: int = 5672
    host: int = 7071
    key_vault: int = 8443
    token_issuer: int = 8444
    resource_manager: int = 8445
    data_key_vault: int = 8446
    # The mail server, the web address of its mailbox, and the receiver of webhooks.
    smtp: int = 1025
    mailbox: int = 8447
    webhook_receiver: int = 8448
    # The fault proxy's ports before the first three, and the port for setting faults.
    faulty_blob: int = 10010
    faulty_queue: int = 10011
    faulty_table: int = 10012
    fault_control: int = 10013

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the defaults, changed by variables such as `VOUCHSAFE_PORT_BLOB`.

        Raises StackError naming every setting that is not a port or that repeats a port.
        """
        chosen: dict[str, int] = {}
        wrong: list[str] = []
        for field in fields(cls):
            text = environment.get(setting_name(field.name))
            if text is None:
                continue
            if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
                chosen[field.name] = int(text)
            else:
                wrong.append(
                    f"{setting_name(field.name)}={text!r} is not a port between 1 and 65535."
                )
        ports = cls(**chosen)
        wrong += ports._repeated()
        if wrong:
            raise StackError("\n".join(wrong))
        return ports

    @classmethod
    def free(cls) -> Self:
        """Return free ports, for a stack beside running stacks on the same machine.

        No other process gets the ports before this process ends, so that a service may start
        late. Raises StackError when too few ports are free.
        """
        names = [field.name for field in fields(cls)]
        found: dict[str, int] = {}
        # Drawn at random, because this process may draw one of its own ports again.
        for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
            if reserve(port) and not is_busy(port):
                found[names[len(found)]] = port
            if len(found) == len(names):
                return cls(**found)
        raise StackError(f"No {len(names)} free ports between {FREE_PORTS[0]} and {FREE_PORTS[-1]}")

    def check_free(self, names: Iterable[str]) -> None:
        """Raise StackError naming every taken port among `names`, and the setting to change."""
        busy = [name for name in names if is_busy(getattr(self, name))]
        if busy:
            raise StackError(
                "\n".join(
                    f"Port {getattr(self, name)} ({name.replace('_', ' ')}) is in use. Stop what"
                    f" uses it, or choose another with {setting_name(name)}."
                    for name in busy
                )
            )

    def _repeated(self) -> list[str]:
        first: dict[int, str] = {}
        return [
            f"{setting_name(name)} and {setting_name(first[port])} are both {port}."
            for name, port in asdict(self).items()
            if first.setdefault(port, name) != name
        ]


def setting_name(name: str) -> str:
    """Return the environment variable that changes a port, such as `VOUCHSAFE_PORT_BLOB`."""
    return f"VOUCHSAFE_PORT_{name.upper()}"


@functools.cache
def reservations() -> IO[bytes]:
    """Return the file whose byte N a process locks to reserve port N.

    The file stays open, because a process that closes the file loses all locks (POSIX, fcntl).
    """
    return (Path(tempfile.gettempdir()) / f"vouchsafe-ports-{os.getuid()}").open("ab")


def reserve(port: int) -> bool:
    """Keep other processes from `port` until this process ends; False for a reserved port."""
    try:
        fcntl.lockf(reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def is_busy(port: int) -> bool:
    """Tell whether a service listens on this port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # The services set SO_REUSEADDR too. Without the option, connections that ended a minute ago
        # count as busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
