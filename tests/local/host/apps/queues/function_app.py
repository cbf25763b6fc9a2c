"""Queue functions that record their messages, and fail or wait on the message's order."""

import asyncio
import json
import os
from pathlib import Path
from typing import List  # noqa: UP035 - the runtime library takes no list[...] in a signature

import azure.functions as func

app = func.FunctionApp()


async def _gate() -> None:
    """Return once the file in the setting GATE exists."""
    while True:
        if _opened():
            return
        await asyncio.sleep(0.01)


def _opened() -> bool:
    return Path(os.environ["GATE"]).exists()


def _record(**values: object) -> None:
    with Path(os.environ["RECORDS"]).open("a") as file:
        file.write(json.dumps(values) + "\n")


def _moment(message: func.ServiceBusMessage) -> str | None:
    """Return the time of enqueueing; None for a message that was never in a queue."""
    return message.enqueued_time_utc.isoformat() if message.enqueued_time_utc else None


async def _obey(message: func.ServiceBusMessage) -> None:
    order = message.application_properties.get("order")
    if order == "fail":
        raise RuntimeError("told to fail")
    if order == "fail once" and message.delivery_count == 1:
        raise RuntimeError("told to fail once")
    if order == "wait":
        await _gate()


@app.service_bus_queue_trigger("message", queue_name="plain", connection="BUS")
async def plain(message: func.ServiceBusMessage) -> None:
    _record(
        name="plain",
        body=message.get_body().decode(),
        message_id=message.message_id,
        delivery_count=message.delivery_count,
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        subject=message.subject,
        properties=message.application_properties,
        user_properties=message.user_properties,
        enqueued=_moment(message),
        sequence_number=message.sequence_number,
        lock_token=message.lock_token,
    )
    await _obey(message)
    _record(name="plain done", message_id=message.message_id)


@app.service_bus_queue_trigger(
    "message", queue_name="%SESSIONS_QUEUE%", connection="BUS", is_sessions_enabled=True
)
async def sessions(message: func.ServiceBusMessage) -> None:
    _record(name="started", session=message.session_id, body=message.get_body().decode())
    await _obey(message)
    _record(name="ended", session=message.session_id, body=message.get_body().decode())


@app.service_bus_queue_trigger(
    "message", queue_name="texts", connection="BUS", auto_complete_messages=True
)
def text(message: str) -> None:
    _record(name="text", body=message)


def _record_batch(name: str, messages: list[func.ServiceBusMessage]) -> None:
    _record(
        name=name,
        bodies=[one.get_body().decode() for one in messages],
        ids=[one.message_id for one in messages],
        delivery_counts=[one.delivery_count for one in messages],
        sessions=[one.session_id for one in messages],
        content_types=[one.content_type for one in messages],
        properties=[one.application_properties for one in messages],
        enqueued=[_moment(one) for one in messages],
    )


@app.service_bus_queue_trigger(
    "messages", queue_name="batches", connection="BUS", cardinality=func.Cardinality.MANY
)
async def batches(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - see above
    _record_batch("batch", messages)
    for message in messages:
        await _obey(message)
    _record_batch("batch done", messages)


@app.service_bus_queue_trigger(
    "messages",
    queue_name="session-batches",
    connection="BUS",
    cardinality=func.Cardinality.MANY,
    is_sessions_enabled=True,
)
def session_batches(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - see above
    _record_batch("session batch", messages)
