"""The trigger metadata: the properties of a Service Bus message beside the body.

The names and kinds are those that the Service Bus extension sends and
``azure.functions.servicebus`` reads. Properties that a message lacks are left out.
"""

import base64
import json
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType
from azure_functions_runtime.bindings.datumdef import Datum

# Two names for the same properties: Azure.Messaging.ServiceBus's, and the older library's.
PROPERTIES = ("ApplicationProperties", "UserProperties")


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """Return the message's bytes.

    Raise ValueError for an AMQP sequence, and for an AMQP value other than text, as the Service Bus
    extension does: Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.ServiceBus,
    `MessageToStringConverter`. The SDK gives the text of a value as bytes, so that a value of bytes
    passes here, too.
    """
    body: Any = message.body
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(body) if isinstance(body, Iterable) else bytes(body)
    if message.body_type is AmqpMessageBodyType.VALUE and isinstance(body, str | bytes):
        return body.encode() if isinstance(body, str) else body
    raise ValueError("the body is neither bytes nor text")


def metadata_of(message: ServiceBusReceivedMessage) -> dict[str, Datum]:
    """Return the trigger metadata, by the extension's names."""
    data = {
        name: Datum(value, "string") if isinstance(value, str) else Datum(_json(value), "json")
        for name, value in _values(message).items()
        if value is not None
    }
    for name in PROPERTIES:
        data[name] = Datum(_json(_properties(message)), "json")
    return data


def batch_metadata_of(messages: Sequence[ServiceBusReceivedMessage]) -> dict[str, Datum]:
    """Return the trigger metadata of a batch: an array for each name, an item for each message."""
    columns: dict[str, list[object]] = {}
    for message in messages:
        properties = dict.fromkeys(PROPERTIES, _properties(message))
        for name, value in (_values(message) | properties).items():
            columns.setdefault(f"{name}Array", []).append(value)
    return {name: Datum(_json(column), "json") for name, column in columns.items()}


def metadata_by_hand(*, batch: bool) -> dict[str, Datum]:
    """Return the trigger metadata of a text in an admin request, in place of a message."""
    values: dict[str, object] = {"MessageId": str(uuid.uuid4()), "DeliveryCount": 1}
    values |= {name: {} for name in PROPERTIES}
    if batch:
        values = {f"{name}Array": [value] for name, value in values.items()}
    return {
        name: Datum(value, "string") if isinstance(value, str) else Datum(_json(value), "json")
        for name, value in values.items()
    }


def _properties(message: ServiceBusReceivedMessage) -> dict[str, object]:
    return {
        _text(name): _plain(value) for name, value in (message.application_properties or {}).items()
    }


def _plain(value: object) -> object:
    """Return a value of any AMQP type as JSON has it, in the forms of .NET's JSON.

    The SDK gives binary, strings and symbols alike as bytes: bytes that are no UTF-8 are in base64.
    Of a described value the SDK gives the value.
    """
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return _text_or_base64(value)
        case Mapping():
            return {_text(name): _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return str(value)


def _text_or_base64(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _values(message: ServiceBusReceivedMessage) -> dict[str, object]:
    life = message.time_to_live
    return {
        "MessageId": _or_none(message.message_id),
        "ContentType": _or_none(message.content_type),
        "CorrelationId": _or_none(message.correlation_id),
        "Subject": _or_none(message.subject),
        "Label": _or_none(message.subject),
        "To": _or_none(message.to),
        "ReplyTo": _or_none(message.reply_to),
        "ReplyToSessionId": _or_none(message.reply_to_session_id),
        "SessionId": _or_none(message.session_id),
        "PartitionKey": _or_none(message.partition_key),
        "LockToken": str(message.lock_token),
        "DeadLetterSource": message.dead_letter_source,
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterErrorDescription": message.dead_letter_error_description,
        # AMQP counts the earlier deliveries, the extension counts the current delivery too.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
        "State": int(message.state),
        "EnqueuedTimeUtc": _time(message.enqueued_time_utc),
        "ExpiresAtUtc": _time(message.expires_at_utc),
        "ScheduledEnqueueTimeUtc": _time(message.scheduled_enqueue_time_utc),
        "LockedUntil": _time(message.locked_until_utc),
        # azure.functions cannot read a span of a day or more.
        "TimeToLive": str(life) if life and life < timedelta(days=1) else None,
    }


def _or_none(value: object) -> str | None:
    """Return a property as text: AMQP has ids of four types, .NET has text alone."""
    return None if value is None else _text(value)


def _json(value: object) -> str:
    return json.dumps(value, default=str)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
