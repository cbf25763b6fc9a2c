"""The host's own configuration: host.json, and the app settings that override host.json.

Source: "host.json reference for Azure Functions 2.x and later", also "Override host.json values"
(learn.microsoft.com). The host refuses by name every setting that would change behaviour and that
the host does not support.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from infra.local.host.errors import StartupError
from infra.local.host.logs import LEVELS

# The prefix of an app setting that overrides a value of host.json.
OVERRIDE = "AzureFunctionsJobHost__"
# Tooling, telemetry and scale settings: no function can see a difference.
TOLERATED = frozenset(
    (
        "$schema",
        "aggregator",
        "applicationinsights",
        "extensionbundle",
        "healthmonitor",
        "logging",
        "telemetrymode",
        "watchdirectories",
        "watchfiles",
    )
)
TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True)
class HostSettings:
    """The host's settings from host.json; durations in seconds, None for no limit.

    The defaults are those of Azure Functions 4 with the Service Bus 5.x and Storage 5.x extensions.
    The default function timeout is the Flex Consumption plan's.
    """

    route_prefix: str = "api"
    function_timeout: float | None = 30 * 60.0
    log_level: str = "Information"
    max_concurrent_calls: int = 16
    max_concurrent_sessions: int = 8
    max_lock_renewal: float = 5 * 60.0
    max_message_batch_size: int = 1000
    min_message_batch_size: int = 1
    max_batch_wait: float = 30.0
    session_idle_timeout: float = 60.0
    blob_parallelism: int = 16
    poison_blob_threshold: int = 5


def read_host_json(path: Path, environment: Mapping[str, str]) -> HostSettings:
    """Read a host.json and the app settings that override its values.

    Names follow .NET's configuration, which ignores case. Raises StartupError with a line for each
    setting that is wrong or unsupported.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise StartupError(f"host.json: there is none in {path.parent}") from None
    except ValueError as error:
        raise StartupError(f"host.json: not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != "2.0":
        raise StartupError('host.json: "version" must be "2.0"')
    values: dict[str, Any] = {}
    wrong: list[str] = []
    # The last value of a name counts.
    for place, name, value in (*_leaves(document), *_overrides(environment)):
        key = name.lower()
        if key == "version" or (key.split(".")[0] in TOLERATED and key not in READERS):
            continue
        if key not in READERS:
            wrong.append(f"{place} is not supported by the local host")
            continue
        field, read = READERS[key]
        try:
            taken = read(value)
        except ValueError as error:
            wrong.append(f"{place}: {error}")
        else:
            if field is not None:
                values[field] = taken
    settings = HostSettings(**values)
    if 1 < settings.min_message_batch_size >= settings.max_message_batch_size:
        wrong.append("minMessageBatchSize of serviceBus must be less than its maxMessageBatchSize")
    if wrong:
        raise StartupError(*wrong)
    return settings


def _leaves(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield each value's place, the value's name in the document, and the value."""
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            yield f"host.json: {name}", name, value


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    for setting, text in environment.items():
        if setting.lower().startswith(OVERRIDE.lower()):
            name = setting[len(OVERRIDE) :].replace("__", ".")
            yield f"the app setting {setting}", name, _typed(text)


def _typed(text: str) -> object:
    """Convert an app setting's text to the JSON value of the same meaning."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.isdecimal() else text


def seconds(text: object) -> float:
    """Return the seconds of a .NET TimeSpan such as ``00:05:00`` or ``1.00:00:00``.

    Raises ValueError when the text is no TimeSpan.
    """
    match = TIME_SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a time span such as 00:05:00")
    days, hours, minutes, rest = match.groups()
    span = timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=float(rest)
    )
    return span.total_seconds()


def _timeout(value: object) -> float | None:
    return None if value == "-1" else seconds(value)


def _level(value: object) -> str:
    if value not in LEVELS:
        raise ValueError(f"{value!r} is none of {', '.join(LEVELS)}")
    return str(value)


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a whole number above 0")
    return value


def _prefix(value: object) -> str:
    if not isinstance(value, str) or value.strip("/").split("/")[0].lower() in ("admin", "runtime"):
        raise ValueError(f"{value!r} is not a route prefix")
    return value.strip("/")


def _only(allowed: object) -> Callable[[object], None]:
    def read(value: object) -> None:
        if value != allowed:
            raise ValueError(f"the local host supports only {json.dumps(allowed)}")

    return read


SERVICE_BUS = "extensions.serviceBus"
# Each supported setting: the field that takes the value, and the value's reader. The field is None
# where only one value is allowed, which changes nothing.
SETTINGS: dict[str, tuple[str | None, Callable[[object], object]]] = {
    "logging.logLevel.default": ("log_level", _level),
    "functionTimeout": ("function_timeout", _timeout),
    "extensions.http.routePrefix": ("route_prefix", _prefix),
    f"{SERVICE_BUS}.maxConcurrentCalls": ("max_concurrent_calls", _count),
    f"{SERVICE_BUS}.maxConcurrentSessions": ("max_concurrent_sessions", _count),
    f"{SERVICE_BUS}.maxMessageBatchSize": ("max_message_batch_size", _count),
    f"{SERVICE_BUS}.minMessageBatchSize": ("min_message_batch_size", _count),
    f"{SERVICE_BUS}.maxBatchWaitTime": ("max_batch_wait", seconds),
    f"{SERVICE_BUS}.maxAutoLockRenewalDuration": ("max_lock_renewal", seconds),
    f"{SERVICE_BUS}.sessionIdleTimeout": ("session_idle_timeout", seconds),
    f"{SERVICE_BUS}.autoCompleteMessages": (None, _only(True)),
    f"{SERVICE_BUS}.maxConcurrentCallsPerSession": (None, _only(1)),
    f"{SERVICE_BUS}.prefetchCount": (None, _only(0)),
    f"{SERVICE_BUS}.transportType": (None, _only("amqpTcp")),
    "extensions.blobs.maxDegreeOfParallelism": ("blob_parallelism", _count),
    "extensions.blobs.poisonBlobThreshold": ("poison_blob_threshold", _count),
}
READERS = {name.lower(): reader for name, reader in SETTINGS.items()}
