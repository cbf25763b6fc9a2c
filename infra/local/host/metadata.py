"""What a function learns of a Service Bus message beside its body: the trigger metadata.

The names and kinds are those that the Service Bus extension sends and that
``azure.functions.servicebus`` reads; what a message does not have is left out.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType
from azure_functions_runtime.bindings.datumdef import Datum

# Two names for the same: that of Azure.Messaging.ServiceBus and that of the library before it.
PROPERTIES = ("ApplicationProperties", "UserProperties")


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """The message's bytes. Raises ValueError for an AMQP sequence, which Functions cannot bind."""
    body: Any = message.body
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(body) if isinstance(body, Iterable) else bytes(body)
    if message.body_type is AmqpMessageBodyType.VALUE and isinstance(body, str | bytes):
        return body.encode() if isinstance(body, str) else body
    raise ValueError("the body is neither bytes nor text")


def metadata_of(message: ServiceBusReceivedMessage) -> dict[str, Datum]:
    """The trigger metadata, by the names that the extension gives it."""
    data = {
        name: Datum(value, "string") if isinstance(value, str) else Datum(json.dumps(value), "json")
        for name, value in _values(message).items()
        if value is not None
    }
    for name in PROPERTIES:
        data[name] = Datum(_json(_properties(message)), "json")
    return data


def batch_metadata_of(messages: Sequence[ServiceBusReceivedMessage]) -> dict[str, Datum]:
    """The trigger metadata of a batch: an array for each name, with one item for each message."""
    columns: dict[str, list[object]] = {}
    for message in messages:
        properties = dict.fromkeys(PROPERTIES, _properties(message))
        for name, value in (_values(message) | properties).items():
            columns.setdefault(f"{name}Array", []).append(value)
    return {name: Datum(_json(column), "json") for name, column in columns.items()}


def metadata_by_hand(*, batch: bool) -> dict[str, Datum]:
    """The trigger metadata of a message that is none but a text in an admin request."""
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
        _text(name): _text(value) if isinstance(value, bytes) else value
        for name, value in (message.application_properties or {}).items()
    }


def _values(message: ServiceBusReceivedMessage) -> dict[str, object]:
    life = message.time_to_live
    return {
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "Subject": message.subject,
        "Label": message.subject,
        "To": message.to,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "SessionId": message.session_id,
        "PartitionKey": message.partition_key,
        "LockToken": str(message.lock_token),
        "DeadLetterSource": message.dead_letter_source,
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterErrorDescription": message.dead_letter_error_description,
        # AMQP counts the deliveries before this one, the extension counts this one too.
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


def _json(value: object) -> str:
    return json.dumps(value, default=str)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
