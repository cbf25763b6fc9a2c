"""People who handle incidents, and the queue that incidents come by."""

import json
import uuid
from datetime import UTC, datetime

import pytest

from shared.ids import new_id, rfc3339


@pytest.fixture
def send(bus):
    """`send(kind=..., ...)` puts messages of incidents on the queue; `id` is the message's id."""
    from azure.servicebus import ServiceBusMessage

    async def put(*events):
        async with bus.get_queue_sender("incidents") as sender:
            for start in range(0, len(events), 15):
                await sender.send_messages(
                    [
                        ServiceBusMessage(
                            json.dumps(one),
                            message_id=one["id"],
                            content_type="application/cloudevents+json",
                        )
                        for one in events[start : start + 15]
                    ]
                )

    return put


@pytest.fixture
def kind():
    """A kind of incidents that no other test has."""
    return f"test.{new_id(datetime.now(UTC)).lower()}"


def opened(kind, resource="things/1", *, at=None, event=None, **data):
    """A message that opens an incident."""
    given = {"kind": kind, "severity": "critical", "summary": "Something broke."}
    return _event("opened", given | {"resource": resource} | data, at, event)


def cleared(kind, resource="things/1", *, at=None, event=None, **data):
    """A message that a matter is over."""
    return _event(
        "cleared",
        {"kind": kind, "resource": resource, "reason": "It works again."} | data,
        at,
        event,
    )


def _event(name, data, at, event):
    return {
        "specversion": "1.0",
        "id": event or str(uuid.uuid4()),
        "source": "/tests",
        "type": f"vouchsafe.incident.{name}.v1",
        "time": rfc3339(at or datetime.now(UTC)),
        "datacontenttype": "application/json",
        "data": data,
    }
