"""The emulator's Config.json, read strictly: a setting beyond the broker is refused by name.

Source: "Test locally by using the Azure Service Bus emulator" and its Config.json; limits from
"Overview of the Azure Service Bus emulator" (usage quotas).
"""

import json
import re
from pathlib import Path

from infra.local.servicebus.messages import QueueSettings

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_MAX_TTL, _MAX_WINDOW, _MIN_WINDOW, _MAX_LOCK = 3600.0, 300.0, 20.0, 300.0
_FORWARDING = ("ForwardTo", "ForwardDeadLetteredMessagesTo")
_PROPERTIES = {
    "DeadLetteringOnMessageExpiration",
    "DefaultMessageTimeToLive",
    "DuplicateDetectionHistoryTimeWindow",
    "LockDuration",
    "MaxDeliveryCount",
    "RequiresDuplicateDetection",
    "RequiresSession",
}


class ConfigError(Exception):
    """Config.json cannot be used; the error names the setting and the fault."""


def load(path: Path) -> list[QueueSettings]:
    """Read the queues that a Config.json declares. Raises `ConfigError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    try:
        return read(document)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read(document: object) -> list[QueueSettings]:
    """Read the queues of a parsed Config.json. Raises `ConfigError`."""
    user = _object(_object(document, "the document", {"UserConfig"})["UserConfig"], "UserConfig")
    _known(user, "UserConfig", {"Namespaces", "Logging"})
    namespaces = _list(user.get("Namespaces"), "UserConfig.Namespaces")
    if len(namespaces) != 1:
        raise ConfigError("UserConfig.Namespaces: exactly one namespace is supported")
    namespace = _object(namespaces[0], "Namespaces[0]")
    _known(namespace, "Namespaces[0]", {"Name", "Queues", "Topics"})
    if namespace.get("Topics"):
        raise ConfigError("Namespaces[0].Topics: topics are not supported by the local broker")
    queues = [
        _queue(_object(entry, f"Queues[{number}]"), f"Queues[{number}]")
        for number, entry in enumerate(_list(namespace.get("Queues"), "Namespaces[0].Queues"))
    ]
    names = [queue.name.lower() for queue in queues]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Queues: declared twice: {', '.join(twice)}")
    return queues


def seconds(text: object, where: str) -> float:
    """Convert an ISO 8601 duration, for example PT1M30S, to seconds.

    Raises `ConfigError` with the name `where`.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise ConfigError(f"{where}: {text!r} is not an ISO 8601 duration such as PT1M")
    days, hours, minutes, rest = (float(group or 0) for group in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def _queue(entry: dict[str, object], where: str) -> QueueSettings:
    _known(entry, where, {"Name", "Properties"})
    name = entry.get("Name")
    if not isinstance(name, str) or not re.fullmatch(r"\w([\w./-]{0,258}\w)?", name, re.ASCII):
        raise ConfigError(f"{where}.Name: {name!r} is not a queue name")
    where = f"queue {name!r}"
    properties = _object(entry.get("Properties", {}), where)
    for forwarding in _FORWARDING:
        if properties.pop(forwarding, ""):
            raise ConfigError(f"{where}: {forwarding} is not supported by the local broker")
    _known(properties, where, _PROPERTIES)

    def duration(key: str, default: str, low: float, high: float) -> float:
        value = seconds(properties.get(key, default), f"{where}: {key}")
        if not low <= value <= high:
            raise ConfigError(f"{where}: {key} must be {low:g} to {high:g} seconds")
        return value

    def flag(key: str) -> bool:
        value = properties.get(key, False)
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: {key} must be true or false")
        return value

    deliveries = properties.get("MaxDeliveryCount", 10)
    if not isinstance(deliveries, int) or isinstance(deliveries, bool) or deliveries < 1:
        raise ConfigError(f"{where}: MaxDeliveryCount must be a whole number above 0")
    window = duration("DuplicateDetectionHistoryTimeWindow", "PT5M", _MIN_WINDOW, _MAX_WINDOW)
    return QueueSettings(
        name=name,
        lock_duration=duration("LockDuration", "PT1M", 1.0, _MAX_LOCK),
        max_delivery_count=deliveries,
        default_ttl=duration("DefaultMessageTimeToLive", "PT1H", 1.0, _MAX_TTL),
        duplicate_window=window if flag("RequiresDuplicateDetection") else None,
        dead_letter_on_expiration=flag("DeadLetteringOnMessageExpiration"),
        requires_session=flag("RequiresSession"),
    )


def _object(value: object, where: str, required: set[str] | None = None) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: must be a JSON object")
    if missing := (required or set()) - value.keys():
        raise ConfigError(f"{where}: lacks {', '.join(sorted(missing))}")
    return dict(value)


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ConfigError(f"{where}: must be a JSON array")
    return value


def _known(value: dict[str, object], where: str, known: set[str]) -> None:
    if unknown := value.keys() - known:
        raise ConfigError(f"{where}: not supported: {', '.join(sorted(unknown))}")
