"""The files that Microsoft's emulator gets: its compose file, and its limits on our queues.

Neither is run here, as that needs Docker; they are held to what is documented.
"""

import json
import re

import pytest
import yaml

from infra.local.ports import Ports
from infra.local.servicebus import config
from infra.local.settings import ROOT

COMPOSE = ROOT / "infra/local/docker-compose.yml"
CONFIG = ROOT / "infra/local/servicebus/Config.json"
SERVICES = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
# "Test locally by using the Azure Service Bus emulator" (learn.microsoft.com).
MOUNTED_AT = "/ServiceBus_Emulator/ConfigFiles/Config.json"

DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
MINUTE, HOUR = 60, 3600
# Seconds, from the schema that the emulator's installer publishes (Config-schema.json of
# Azure/azure-service-bus-emulator-installer); the smallest window that both it and the quotas of
# "Overview of the Azure Service Bus emulator" allow.
LIMITS = {
    "DefaultMessageTimeToLive": (5 * MINUTE, HOUR),
    "DuplicateDetectionHistoryTimeWindow": (20, 5 * MINUTE),
    "LockDuration": (5, 5 * MINUTE),
}
FLAGS = {"DeadLetteringOnMessageExpiration", "RequiresDuplicateDetection", "RequiresSession"}


def user_config():
    return json.loads(CONFIG.read_text(encoding="utf-8"))["UserConfig"]


def queues():
    return user_config()["Namespaces"][0]["Queues"]


def test_the_emulator_reads_the_very_file_that_the_broker_reads():
    [volume] = SERVICES["emulator"]["volumes"]
    source, target, mode = volume.split(":")
    assert (COMPOSE.parent / source).resolve() == CONFIG
    assert (target, mode) == (MOUNTED_AT, "ro")
    assert {queue.name for queue in config.load(CONFIG)} == {queue["Name"] for queue in queues()}


def test_only_the_bus_is_published_and_only_on_loopback():
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    default = Ports().service_bus
    assert published == {
        "emulator": [f"127.0.0.1:${{VOUCHSAFE_PORT_SERVICE_BUS:-{default}}}:5672"],
        "sqlserver": [],
    }
    assert not any({"network_mode", "privileged"} & service.keys() for service in SERVICES.values())


def test_the_images_are_microsofts_and_the_emulator_finds_its_database():
    images = {name: service["image"].rpartition(":")[0] for name, service in SERVICES.items()}
    assert images == {
        "emulator": "mcr.microsoft.com/azure-messaging/servicebus-emulator",
        "sqlserver": "mcr.microsoft.com/mssql/server",
    }
    assert SERVICES["emulator"]["environment"]["SQL_SERVER"] in SERVICES["emulator"]["depends_on"]


@pytest.mark.parametrize("name", ["ACCEPT_EULA", "MSSQL_SA_PASSWORD"])
def test_licences_and_password_are_the_callers_to_give(name):
    for service in SERVICES.values():
        assert service["environment"][name].startswith(f"${{{name}:?")


def test_the_namespace_is_what_the_emulator_allows():
    assert user_config().keys() == {"Namespaces", "Logging"}
    assert user_config()["Logging"] == {"Type": "File"}
    [namespace] = user_config()["Namespaces"]
    assert namespace["Name"] == "sbemulatorns"
    assert namespace["Topics"] == []
    assert 0 < len(namespace["Queues"]) <= 50


@pytest.mark.parametrize("queue", queues(), ids=lambda queue: queue["Name"])
def test_a_queue_is_within_the_emulators_limits(queue):
    assert queue.keys() == {"Name", "Properties"}
    assert re.fullmatch(r"[A-Za-z0-9][\w\-./]*[A-Za-z0-9]", queue["Name"], re.ASCII)
    properties = queue["Properties"]
    assert properties.keys() == LIMITS.keys() | FLAGS | {"MaxDeliveryCount"}
    assert all(isinstance(properties[flag], bool) for flag in FLAGS)
    assert 1 <= properties["MaxDeliveryCount"] <= 10
    for name, (least, most) in LIMITS.items():
        match = DURATION.fullmatch(properties[name])
        assert match, f"{name} is {properties[name]}"
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        assert least <= hours * HOUR + minutes * MINUTE + seconds <= most, name
