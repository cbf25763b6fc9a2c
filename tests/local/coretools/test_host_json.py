"""host.json is what Functions v4 takes with extension bundle 4.x.

The rules are those of the published schema (https://json.schemastore.org/host.json, its definition
`version-2-ext-5`) for the parts that we use, written down here by hand: the schema itself is not
kept in this repository. What stands in no rule fails, until its rule is added. One gap is known:
the schema has no `minMessageBatchSize` of `serviceBus`, but explains `maxBatchWaitTime` by it.
"""

import json
import re

import pytest

from infra.local.settings import ROOT

HOST = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"
LEVELS = {"Critical", "Debug", "Error", "Information", "None", "Trace", "Warning"}
TELEMETRY = {"Dependency", "Event", "Exception", "PageView", "Request", "Trace"}
TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)


def text(value):
    return isinstance(value, str)


def flag(value):
    return isinstance(value, bool)


def count(value):
    return isinstance(value, int) and not isinstance(value, bool)


def time_span(value):
    return text(value) and TIME.fullmatch(value) is not None


def timeout(value):
    return value in (None, "-1") or time_span(value)


def level(value):
    return value in LEVELS


def telemetry(value):
    return text(value) and set(value.split(";")) <= TELEMETRY


def bundle_version(value):
    """A range of versions 4 alone, as "Azure Functions extension bundles" documents it."""
    return value == "[4.*, 5.0.0)"


RULES = {
    "version": lambda value: value == "2.0",
    "functionTimeout": timeout,
    "logging.logLevel.default": level,
    "logging.applicationInsights.samplingSettings.isEnabled": flag,
    "logging.applicationInsights.samplingSettings.excludedTypes": telemetry,
    "extensionBundle.id": lambda value: value == BUNDLE,
    "extensionBundle.version": bundle_version,
    "extensions.http.routePrefix": text,
    "extensions.serviceBus.prefetchCount": count,
    "extensions.serviceBus.autoCompleteMessages": flag,
    "extensions.serviceBus.maxAutoLockRenewalDuration": time_span,
    "extensions.serviceBus.maxConcurrentCalls": count,
    "extensions.serviceBus.maxConcurrentSessions": count,
    "extensions.serviceBus.maxMessageBatchSize": count,
    "extensions.serviceBus.sessionIdleTimeout": time_span,
}


def leaves(value, path=""):
    """Every value that is no object, by its dotted path."""
    if not isinstance(value, dict):
        return {path: value}
    found = {}
    for name, part in value.items():
        found |= leaves(part, f"{path}.{name}" if path else name)
    return found


def faults(document):
    return [
        path
        for path, value in leaves(document).items()
        if path not in RULES or not RULES[path](value)
    ]


def test_host_json_is_valid():
    assert faults(HOST) == []
    assert {"version", "extensionBundle"} <= HOST.keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "4.0"},
        {"functionTimeout": "30 minutes"},
        {"functionTimeout": "24:00:00"},
        {"extensionBundle": {"id": BUNDLE, "version": "[3.*, 4.0.0)"}},
        {"extensions": {"serviceBus": {"messageHandlerOptions": {"maxConcurrentCalls": 1}}}},
        {"extensions": {"serviceBus": {"maxConcurrentCalls": "16"}}},
        {"logging": {"logLevel": {"default": "Verbose"}}},
        {"queues": {"batchSize": 1}},
    ],
)
def test_what_functions_v4_does_not_take_is_found(wrong):
    assert len(faults(wrong)) == 1
