"""Which loopback port each service of the stack listens on."""

import os
import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self

from infra.local.errors import StackError

LOOPBACK = "127.0.0.1"

# An idle HTTP connection is kept as long as Kestrel keeps one, on which the Functions host of Azure
# runs. Clients give theirs up sooner, so that none sends a request to a server that hangs up just
# then, as with uvicorn's 5 seconds, which are also those of httpx.
KEEP_ALIVE_SECONDS = 130

# Below the range from which Linux (32768) and macOS (49152) take ports for outgoing connections,
# so that a port found free is not taken by a client before its service listens on it.
FREE_PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Ports:
    """One port a service; the defaults are those of Azurite, AMQP and Core Tools."""

    blob: int = 10000
    queue: int = 10001
    table: int = 10002
    service_bus: int = 5672
    host: int = 7071
    key_vault: int = 8443
    token_issuer: int = 8444
    resource_manager: int = 8445
    # The fault proxy's, before the first three, and where its rules are set.
    faulty_blob: int = 10010
    faulty_queue: int = 10011
    faulty_table: int = 10012
    fault_control: int = 10013

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The defaults, changed by `VOUCHSAFE_PORT_BLOB` and its like.

        Raises StackError naming every setting that is not a port or that repeats another's.
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
        """Ports that nothing listens on now, for a stack beside others on the same machine.

        Raises StackError when there are too few.
        """
        names = [field.name for field in fields(cls)]
        found: dict[str, int] = {}
        # Drawn at random so that two test runs that start together do not race for the same ones.
        for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
            if not is_busy(port):
                found[names[len(found)]] = port
            if len(found) == len(names):
                return cls(**found)
        raise StackError(f"No {len(names)} free ports between {FREE_PORTS[0]} and {FREE_PORTS[-1]}")

    def check_free(self, names: Iterable[str]) -> None:
        """Raise StackError naming every port among `names` that is taken, and how to change it."""
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
    """The environment variable that changes a port, such as `VOUCHSAFE_PORT_BLOB`."""
    return f"VOUCHSAFE_PORT_{name.upper()}"


def is_busy(port: int) -> bool:
    """Whether something listens on this port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the services do: without it, connections that ended a minute ago count as busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
