"""The broker as a process: refused configurations, and a clean stop."""

import json
import socket
from pathlib import Path

import pytest

from infra.local.servicebus.config import ConfigError, load, read, seconds
from tests.local.servicebus.conftest import config, ready_port, start, stop


@pytest.mark.parametrize(
    ("text", "expected"), [("PT1M", 60), ("PT1.5S", 1.5), ("P1DT2H3M4S", 93784), ("P14D", 1209600)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text, "x") == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "1M", "PT1", "P1M", 60, None, "PT-1S"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ConfigError, match=r"^x: .* is not an ISO 8601 duration"):
        seconds(text, "x")


def test_every_property_is_read() -> None:
    properties = {
        "DeadLetteringOnMessageExpiration": True,
        "DefaultMessageTimeToLive": "PT30M",
        "DuplicateDetectionHistoryTimeWindow": "PT20S",
        "ForwardTo": "",
        "LockDuration": "PT10S",
        "MaxDeliveryCount": 3,
        "RequiresDuplicateDetection": True,
        "RequiresSession": True,
    }
    (queue,) = read(config([{"Name": "q", "Properties": properties}]))
    assert (queue.name, queue.lock_duration, queue.max_delivery_count) == ("q", 10, 3)
    assert (queue.default_ttl, queue.duplicate_window) == (1800, 20)
    assert (queue.dead_letter_on_expiration, queue.requires_session) == (True, True)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"Name": "q", "Properties": {"LockDuration": "PT6M"}}, "LockDuration must be 1 to 300"),
        ({"Name": "q", "Properties": {"MaxDeliveryCount": 0}}, "MaxDeliveryCount must be"),
        ({"Name": "q", "Properties": {"RequiresSession": "yes"}}, "must be true or false"),
        ({"Name": "q", "Properties": {"ForwardTo": "r"}}, "ForwardTo is not supported"),
        ({"Name": "q", "Properties": {"AutoDelete": "PT1M"}}, "not supported: AutoDelete"),
        ({"Name": "a b"}, "'a b' is not a queue name"),
        ({"Name": "twice"}, "declared twice: twice"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(entry: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(config([entry, {"Name": "Twice"}]))


def test_topics_are_refused_by_name() -> None:
    document = config([])
    document["UserConfig"]["Namespaces"][0]["Topics"] = [{"Name": "t"}]
    with pytest.raises(ConfigError, match="topics are not supported"):
        read(document)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"UserConfig": {}}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "Config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"Config\.json: "):
        load(path)


def test_it_ends_on_sigterm_and_says_which_port_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "Config.json"
    path.write_text(json.dumps(config([{"Name": "q"}])))
    first = start("--port", "0", "--config", str(path))
    port = ready_port(first)
    # The broker is not idle: a client is connected.
    with socket.create_connection(("127.0.0.1", port)):
        second = start("--port", str(port), "--config", str(path))
        _, said = second.communicate(timeout=30)
        assert second.returncode == 1
        assert said == f"servicebus: port {port} is in use (--port changes it)\n"
        assert stop(first) == 0


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    process = start("--port", "0", "--config", str(tmp_path / "none.json"))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said == f"servicebus: {tmp_path / 'none.json'}: No such file or directory\n"
