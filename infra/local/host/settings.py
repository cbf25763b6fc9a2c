"""What configures a function app from outside: host.json and the app settings.

App settings come from the process's environment, as in Azure. host.json follows
https://learn.microsoft.com/azure/azure-functions/functions-host-json; a setting that would change
behaviour and that this host does not have is refused by name rather than ignored.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from infra.local.host.refusals import RefusedError

# Tooling, telemetry and scale settings: they change nothing that a function can see.
TOLERATED = frozenset(
    (
        "$schema",
        "aggregator",
        "applicationInsights",
        "extensionBundle",
        "healthMonitor",
        "logging",
        "telemetryMode",
        "watchDirectories",
        "watchFiles",
    )
)
TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")
APP_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True)
class HostSettings:
    """What the host takes from host.json; durations in seconds, None for no limit.

    The defaults are those of Azure Functions 4 with the Service Bus 5.x and Storage 5.x extensions,
    and of the Flex Consumption plan for the function timeout.
    """

    route_prefix: str = "api"
    function_timeout: float | None = 30 * 60.0
    log_level: str = "Information"
    max_concurrent_calls: int = 16
    max_concurrent_sessions: int = 8
    max_lock_renewal: float = 5 * 60.0
    max_message_batch_size: int = 1000
    session_idle_timeout: float = 60.0
    blob_parallelism: int = 16
    poison_blob_threshold: int = 5


def read_host_json(path: Path) -> HostSettings:
    """The settings in a host.json.

    Raises RefusedError with a line for each setting that is wrong or that this host does not have.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RefusedError(f"host.json: there is none in {path.parent}") from None
    except ValueError as error:
        raise RefusedError(f"host.json: not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != "2.0":
        raise RefusedError('host.json: "version" must be "2.0"')
    values: dict[str, Any] = {"log_level": _default_log_level(document)}
    wrong: list[str] = []
    for name, value in _leaves(document):
        if name == "version" or name.split(".")[0] in TOLERATED:
            continue
        if name not in READERS:
            wrong.append(f"host.json: {name} is not supported by the local host")
            continue
        field, read = READERS[name]
        try:
            taken = read(value)
        except ValueError as error:
            wrong.append(f"host.json: {name}: {error}")
        else:
            if field is not None:
                values[field] = taken
    if wrong:
        raise RefusedError(*wrong)
    return HostSettings(**values)


class AppSettings:
    """The app settings, by name, and the expressions that bindings may hold."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """The setting's value; None when there is none or it is empty."""
        return self._values.get(name) or None

    def resolve(self, text: str) -> str:
        """The text with each ``%NAME%`` replaced by that setting. Raises RefusedError naming it."""

        def value(match: re.Match[str]) -> str:
            found = self.get(match[1])
            if found is None:
                raise RefusedError(f"the app setting {match[1]} is missing")
            return found

        return APP_SETTING.sub(value, text)

    def connection(self, name: str) -> str:
        """The connection string that a binding names, as ``NAME`` or ``AzureWebJobsNAME``.

        Raises RefusedError when there is none, or when the connection is one by identity, which has
        no meaning for local stand-ins.
        """
        found = self.get(name) or self.get(f"AzureWebJobs{name}")
        if found is not None:
            return found
        identity = next((key for key in self._values if key.startswith(f"{name}__")), None)
        if identity is not None:
            raise RefusedError(f"{identity} is not supported: set the connection string {name}")
        raise RefusedError(f"the connection setting {name} is missing")


def seconds(text: object) -> float:
    """The length of a .NET TimeSpan such as ``00:05:00`` or ``1.00:00:00``.

    Raises ValueError when the text is none.
    """
    match = TIME_SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a time span such as 00:05:00")
    days, hours, minutes, rest = match.groups()
    span = timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(rest)
    )
    return span.total_seconds()


def _default_log_level(document: dict[str, Any]) -> str:
    logging = document.get("logging")
    levels = logging.get("logLevel") if isinstance(logging, dict) else None
    level = levels.get("default") if isinstance(levels, dict) else None
    return level if isinstance(level, str) else "Information"


def _leaves(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and f"{prefix}{key}" not in TOLERATED:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _timeout(value: object) -> float | None:
    return None if value == "-1" else seconds(value)


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a whole number above 0")
    return value


def _prefix(value: object) -> str:
    if not isinstance(value, str) or value.strip("/").split("/")[0].lower() in ("admin", "runtime"):
        raise ValueError(f"{value!r} is not a route prefix")
    return value.strip("/")


def _only(allowed: object) -> Any:
    def read(value: object) -> None:
        if value != allowed:
            raise ValueError(f"the local host supports only {json.dumps(allowed)}")

    return read


SERVICE_BUS = "extensions.serviceBus"
# Each supported setting: the field that takes its value (None: the one value allowed changes
# nothing) and how it is read.
READERS: dict[str, tuple[str | None, Any]] = {
    "functionTimeout": ("function_timeout", _timeout),
    "extensions.http.routePrefix": ("route_prefix", _prefix),
    f"{SERVICE_BUS}.maxConcurrentCalls": ("max_concurrent_calls", _count),
    f"{SERVICE_BUS}.maxConcurrentSessions": ("max_concurrent_sessions", _count),
    f"{SERVICE_BUS}.maxMessageBatchSize": ("max_message_batch_size", _count),
    # The wait is for a batch of the minimum size; with one message there is nothing to wait for.
    f"{SERVICE_BUS}.minMessageBatchSize": (None, _only(1)),
    f"{SERVICE_BUS}.maxBatchWaitTime": (None, seconds),
    f"{SERVICE_BUS}.maxAutoLockRenewalDuration": ("max_lock_renewal", seconds),
    f"{SERVICE_BUS}.sessionIdleTimeout": ("session_idle_timeout", seconds),
    f"{SERVICE_BUS}.autoCompleteMessages": (None, _only(True)),
    f"{SERVICE_BUS}.maxConcurrentCallsPerSession": (None, _only(1)),
    f"{SERVICE_BUS}.prefetchCount": (None, _only(0)),
    f"{SERVICE_BUS}.transportType": (None, _only("amqpTcp")),
    "extensions.blobs.maxDegreeOfParallelism": ("blob_parallelism", _count),
    "extensions.blobs.poisonBlobThreshold": ("poison_blob_threshold", _count),
}
