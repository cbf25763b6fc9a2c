"""Queue functions that record what they were given; some fail or take their time when told to."""

import asyncio
import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


async def _gate() -> None:
    """Return once the file that the setting GATE names is there."""
    while True:
        if _opened():
            return
        await asyncio.sleep(0.01)


def _opened() -> bool:
    return Path(os.environ["GATE"]).exists()


def _record(**values: object) -> None:
    with Path(os.environ["RECORDS"]).open("a") as file:
        file.write(json.dumps(values) + "\n")


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
        enqueued=message.enqueued_time_utc.isoformat(),
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


@app.service_bus_queue_trigger("message", queue_name="texts", connection="BUS")
def text(message: str) -> None:
    _record(name="text", body=message)
