"""The functions that Service Bus queues trigger, and the kind of each trigger."""

from azure.servicebus.aio import ServiceBusClient

from infra.local.host.batches import BatchTrigger, SessionBatchTrigger
from infra.local.host.errors import StartupError
from infra.local.host.hostjson import HostSettings
from infra.local.host.invoke import Invoker
from infra.local.host.loading import Function
from infra.local.host.servicebus import QueueTrigger, SessionTrigger
from infra.local.host.settings import AppSettings

# By two flags: the queue has sessions, the function takes batches.
KINDS = {
    (False, False): QueueTrigger,
    (True, False): SessionTrigger,
    (False, True): BatchTrigger,
    (True, True): SessionBatchTrigger,
}


def queue_triggers(
    functions: list[Function], app_settings: AppSettings, settings: HostSettings, invoker: Invoker
) -> list[QueueTrigger]:
    """Return the queue functions. Raise StartupError with a line for each unusable function."""
    found: list[QueueTrigger] = []
    wrong: list[str] = []
    for function in functions:
        if function.kind != "serviceBusTrigger":
            continue
        try:
            found.append(_queue_trigger(function, app_settings, settings, invoker))
        except StartupError as refused:
            wrong += [f"function {function.name}: {line}" for line in refused.lines]
    if wrong:
        raise StartupError(*wrong)
    return found


def _queue_trigger(
    function: Function, app_settings: AppSettings, settings: HostSettings, invoker: Invoker
) -> QueueTrigger:
    trigger = function.trigger
    if "queueName" not in trigger:
        raise StartupError("topics are not supported by the local host, only queues")
    if trigger.get("autoCompleteMessages") is False:
        raise StartupError("autoCompleteMessages false is not supported: the host settles messages")
    cardinality = str(trigger.get("cardinality") or "ONE").upper()
    if cardinality not in ("ONE", "MANY"):
        raise StartupError(f"cardinality {trigger['cardinality']} is neither ONE nor MANY")
    if function.info.input_types[function.parameter].deferred_bindings_enabled:
        raise StartupError(f"parameter {function.parameter}: SDK types are not supported here")
    name = trigger["connection"]
    connection = app_settings.connection(name)
    try:
        ServiceBusClient.from_connection_string(connection)
    except ValueError as error:
        raise StartupError(f"the connection setting {name} is wrong: {error}") from None
    kind = KINDS[bool(trigger.get("isSessionsEnabled")), cardinality == "MANY"]
    queue = app_settings.resolve(trigger["queueName"])
    return kind(function, queue, connection, invoker, settings)
