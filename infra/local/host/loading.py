"""Loading a function app with Microsoft's runtime library, and checking the app's bindings."""

import importlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_functions_runtime import handle_event
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.functions import FunctionInfo, FunctionLoadError
from azure_functions_runtime.handle_event import _functions as registry
from azure_functions_runtime.http_v2 import HttpV2Registry
from azure_functions_runtime.loader import index_function_app, process_indexed_function

from infra.local.host import protos
from infra.local.host.errors import StartupError

SCRIPT = "function_app.py"
# The folder of the package `infra`.
HOST_FROM = Path(__file__).parents[3]
COMMON = frozenset(("name", "type", "direction", "dataType", "properties"))
# The supported bindings, each with the supported properties.
TRIGGERS: dict[str, frozenset[str]] = {
    "httpTrigger": frozenset(("authLevel", "methods", "route")),
    "timerTrigger": frozenset(("schedule", "runOnStartup", "useMonitor")),
    # accessRights has had no effect since version 2 of the Functions host. The trigger itself
    # refuses topics, in one line.
    "serviceBusTrigger": frozenset(
        (
            "connection",
            "queueName",
            "topicName",
            "subscriptionName",
            "isSessionsEnabled",
            "cardinality",
            "accessRights",
            "autoCompleteMessages",
        )
    ),
    "blobTrigger": frozenset(("path", "connection", "source")),
}
OUTPUTS = frozenset(("http",))


@dataclass(frozen=True)
class Function:
    """One function of the app: the runtime's record of the function, and the trigger's bindings."""

    info: FunctionInfo
    trigger: Mapping[str, Any]
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        return str(self.info.name)

    @property
    def kind(self) -> str:
        """The trigger's binding type, such as ``httpTrigger``."""
        return str(self.trigger["type"])

    @property
    def parameter(self) -> str:
        """The name of the parameter that takes the trigger's data."""
        return str(self.trigger["name"])


def load(folder: Path) -> list[Function]:
    """Import the app in this absolute folder and return the app's functions.

    The order is Azure's for the specialisation of a placeholder instance, the only kind on Flex
    Consumption. The worker imports and indexes the app from a working directory outside the folder,
    with the folder last on ``sys.path``. Afterwards the worker changes into the folder. Sources:
    ``function_environment_reload_request`` of the runtime library, and ``DependencyManager`` of
    github.com/Azure/azure-functions-python-worker.

    Raises StartupError with a line for each unsupported binding or property, and for an app that
    the runtime itself refuses. An exception of the app's own import propagates.
    """
    if not (folder / SCRIPT).is_file():
        raise StartupError(f"there is no {SCRIPT} in {folder}")
    os.chdir(folder.anchor)
    # `python -m` put the host's own folder on the path. Host modules imported later are still
    # found, through the path of the package `infra`.
    sys.path[:] = [entry for entry in sys.path if Path(entry) != HOST_FROM]
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    functions = _indexed(folder)
    os.chdir(folder)
    return functions


def _indexed(folder: Path) -> list[Function]:
    handle_event.protos = protos
    load_binding_registry()
    indexed = index_function_app(str(folder / SCRIPT))
    if not indexed:
        raise StartupError(f"{SCRIPT}: the app has no functions")
    if HttpV2Registry.http_v2_enabled():
        raise StartupError("HTTP streams (azurefunctions.extensions.http) are not supported")
    try:
        metadata, _ = process_indexed_function(protos, registry, indexed, str(folder))
    except FunctionLoadError as error:
        raise StartupError(str(error)) from None
    functions = [_function(item) for item in metadata]
    wrong = [line for item in metadata for line in _unsupported(item)]
    if wrong:
        raise StartupError(*wrong)
    return functions


def _function(metadata: protos.RpcFunctionMetadata) -> Function:
    bindings = tuple(json.loads(text) for text in metadata.raw_bindings)
    info = registry.get_function(metadata.function_id)
    # The library accepts an app only when every function has exactly one trigger.
    trigger = next(item for item in bindings if str(item["type"]).endswith("Trigger"))
    return Function(info=info, trigger=trigger, bindings=bindings)


def _unsupported(metadata: protos.RpcFunctionMetadata) -> list[str]:
    name = metadata.name
    wrong = []
    if metadata.retry_options is not None:
        wrong.append(f"function {name}: retry policies are not supported by the local host")
    for text in metadata.raw_bindings:
        binding = json.loads(text)
        kind, inward = binding["type"], binding["direction"] == "IN"
        if kind not in (TRIGGERS if inward else OUTPUTS):
            way = "input" if inward else "output"
            wrong.append(f"function {name}: {way} binding {kind} is not supported")
            continue
        known = COMMON | (TRIGGERS[kind] if inward else frozenset())
        wrong += [
            f"function {name}: property {key} of {kind} is not supported"
            for key, value in binding.items()
            if key not in known and value is not None
        ]
        if binding.get("dataType") not in (None, "UNDEFINED"):
            wrong.append(f"function {name}: property dataType of {kind} is not supported")
    return wrong
