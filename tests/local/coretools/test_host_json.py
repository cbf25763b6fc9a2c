"""The conformity of host.json with Functions v4 and extension bundle 4.x.

Source: the published schema, https://json.schemastore.org/host.json as of commit
0345caa33d4def191427aa18e113de4c5d6f523b of SchemaStore (src/schemas/json/host.json), definition
`version-2-ext-5`. The rules for the parts in use are written down here by hand: no installable
package carries the current schema, and this repository holds no copy. A value without a rule fails,
until a rule is added. One gap is known: the schema has no `minMessageBatchSize` of `serviceBus`,
but explains `maxBatchWaitTime` by `minMessageBatchSize`.
"""

import json
import re

import azure.functions as func
import pytest

from functions.intake import arrivals
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
    """Accept a range of versions 4 alone, as "Azure Functions extension bundles" documents."""
    return value == "[4.*, 5.0.0)"


RULES = {
    "version": lambda value: value == "2.0",
    "functionTimeout": timeout,
    "logging.logLevel.default": level,
    "logging.logLevel.Function.upload_arrived": level,
    "logging.applicationInsights.samplingSettings.isEnabled": flag,
    "logging.applicationInsights.samplingSettings.excludedTypes": telemetry,
    "extensionBundle.id": lambda value: value == BUNDLE,
    "extensionBundle.version": bundle_version,
    "extensions.blobs.maxDegreeOfParallelism": count,
    "extensions.http.routePrefix": text,
    "extensions.serviceBus.prefetchCount": count,
    "extensions.serviceBus.autoCompleteMessages": flag,
    "extensions.serviceBus.maxAutoLockRenewalDuration": time_span,
    "extensions.serviceBus.maxConcurrentCalls": count,
    "extensions.serviceBus.maxConcurrentSessions": count,
    "extensions.serviceBus.maxMessageBatchSize": count,
    "extensions.serviceBus.sessionIdleTimeout": time_span,
}


# Names that `version-2` has for `serviceBus` as well.
BEFORE_5 = {"prefetchCount", "messageHandlerOptions", "sessionHandlerOptions", "batchOptions"}
GOOD = {"version": "2.0", "extensions": {"serviceBus": {"autoCompleteMessages": True}}}


def leaves(value, path=""):
    """Yield every value that is no object, by its dotted path."""
    if not isinstance(value, dict):
        return {path: value}
    found = {}
    for name, part in value.items():
        found |= leaves(part, f"{path}.{name}" if path else name)
    return found


def faults(document):
    found = [
        path
        for path, value in leaves(document).items()
        if path not in RULES or not RULES[path](value)
    ]
    if "version" not in document:
        found.append("version")
    extensions = document.get("extensions", {})
    if "routePrefix" not in extensions.get("http", {"routePrefix": ""}):
        found.append("extensions.http.routePrefix")
    # The settings must match exactly one version; a setting of extensions before the fifth matches
    # two.
    if extensions.get("serviceBus", {}).keys() <= BEFORE_5:
        found.append("extensions.serviceBus")
    return found


def test_host_json_is_valid():
    assert faults(HOST) == []
    assert "extensionBundle" in HOST


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "4.0"},
        {"functionTimeout": "30 minutes"},
        {"functionTimeout": "24:00:00"},
        {"extensionBundle": {"id": BUNDLE, "version": "[3.*, 4.0.0)"}},
        {"extensionBundle": {"ids": BUNDLE}},
        {"serviceBus": {"messageHandlerOptions": {"maxConcurrentCalls": 1}}},
        {"serviceBus": {"maxConcurrentCalls": "16"}},
        {"serviceBus": {"prefetchCount": True}},
        {"extensions": {"serviceBus": {"prefetchCount": 0}}},
        {"extensions": {"http": {}}},
        {"logging": {"logLevel": {"default": "Verbose"}}},
        {"queues": {"batchSize": 1}},
    ],
)
def test_what_functions_v4_does_not_take_is_found(wrong):
    extensions = {"serviceBus": GOOD["extensions"]["serviceBus"] | wrong.pop("serviceBus", {})}
    extensions |= wrong.pop("extensions", {})
    assert faults(GOOD) == []
    assert len(faults(GOOD | wrong | {"extensions": extensions})) == 1


@pytest.mark.parametrize("source", list(func.BlobSource))
def test_the_host_logs_no_name_of_an_upload(source):
    # At the start of each run the host logs, as information, "Executing ... (Reason='New blob
    # detected(EventGrid): incoming/...')" under the category of the function. A path may name a
    # person.
    app = func.FunctionApp()
    app.register_functions(arrivals(source.value))
    [arrived] = app.get_functions()
    assert HOST["logging"]["logLevel"][f"Function.{arrived.get_function_name()}"] == "Warning"
