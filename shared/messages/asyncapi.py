"""The AsyncAPI 3.0 document: every queue, and the messages on the queue.

Source: AsyncAPI Specification 3.0.0; the envelope is CloudEvents 1.0.2 in JSON.
"""

import inspect
from typing import Any, Final

import msgspec

from shared.catalogue import (
    INTAKE_BULK_QUEUE,
    PARKED_MESSAGES_QUEUE,
    QUEUES,
    SCAN_RESULTS_QUEUE,
)
from shared.messages.cloudevents import JSON_MEDIA_TYPE
from shared.messages.contracts import QUEUE_OF, TYPES, Contract

_SCHEMAS: Final = "#/components/schemas/"
_CONTENT_TYPE: Final = "application/cloudevents+json"


def document() -> dict[str, Any]:
    """The whole document."""
    contracts = tuple(TYPES)
    schemas, components = msgspec.json.schema_components(
        contracts, ref_template=_SCHEMAS + "{name}"
    )
    messages = {
        contract.__name__: _message(contract, schema)
        for contract, schema in zip(contracts, schemas, strict=True)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vouchsafe",
            "version": "1",
            "description": (
                "CloudEvents 1.0 in structured JSON mode on Service Bus queues, delivered at least "
                "once. Set the message id to the event's `id`. A message that can never succeed is "
                "copied to `parked-messages` with `parked-reason`."
            ),
            "license": {"name": "GPL-3.0-or-later"},
        },
        "defaultContentType": _CONTENT_TYPE,
        "channels": {queue: _channel(queue) for queue in [queue.name for queue in QUEUES]},
        "components": {"messages": messages, "schemas": dict(sorted(components.items()))},
    }


def _channel(queue: str) -> dict[str, Any]:
    carried = [contract.__name__ for contract, name in QUEUE_OF.items() if name == queue]
    channel: dict[str, Any] = {
        "address": queue,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in carried},
    }
    if queue in {queue.name for queue in QUEUES if queue.sessions}:
        channel["description"] = "Needs sessions: the session id is the tenant's id."
    if queue == INTAKE_BULK_QUEUE.name:
        channel["description"] = (
            "Needs sessions, which the app chooses, for messages as on `intake`. No other sender"
            " uses the queue."
        )
    if queue == SCAN_RESULTS_QUEUE.name:
        channel["description"] = (
            "Events of type Microsoft.Security.MalwareScanningResult from Microsoft Defender for "
            "Storage, as Event Grid delivers them: in its own schema or as CloudEvents."
        )
    if queue == PARKED_MESSAGES_QUEUE.name:
        channel["description"] = (
            "Copies of messages that can never succeed, as they came, with `parked-reason`, "
            "`parked-detail`, `parked-remedy` and `parked-queue` as application properties."
        )
    return channel


def _message(contract: type[Contract], schema: dict[str, Any]) -> dict[str, Any]:
    kind = TYPES[contract]
    return {
        "name": kind,
        "summary": " ".join(inspect.cleandoc(contract.__doc__ or "").split()),
        "contentType": _CONTENT_TYPE,
        "payload": {
            "type": "object",
            "additionalProperties": True,
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "minLength": 1, "maxLength": 128},
                "source": {"type": "string", "minLength": 1, "maxLength": 512},
                "type": {"const": kind},
                "time": {"type": "string", "format": "date-time"},
                "datacontenttype": {
                    "description": "any media type of JSON, such as `application/json`",
                    "type": ["string", "null"],
                    "pattern": JSON_MEDIA_TYPE,
                },
                "correlationid": {"description": "an id; ignored where the value is no id"},
                "data": schema,
            },
        },
    }
