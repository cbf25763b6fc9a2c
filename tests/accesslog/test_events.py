"""`access-events` in batches: what cannot be logged is parked one by one, the rest is logged."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage

from shared.catalogue import ACCESS_EVENTS_QUEUE, PARKED_MESSAGES_QUEUE
from tests.journeys.portal import Portal, eventually
from tests.queues import peeked


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "events-" + uuid.uuid4().hex[:8]) as portal:
        yield portal


def event(tenant, *, identifier=None, kind="vouchsafe.access.recorded.v1", at=None, **changed):
    data = {
        "tenant": tenant,
        "actor": {"id": "dam", "role": "system", "organisation": "vendor"},
        "action": "asset.viewed",
        "resource": "assets/1",
        "outcome": "allowed",
    }
    return {
        "specversion": "1.0",
        "id": identifier or str(uuid.uuid4()),
        "source": "/dam",
        "type": kind,
        "time": (at or datetime.now(UTC)).isoformat(),
        "data": data | changed,
    }


def message(body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ServiceBusMessage(data, message_id=str(uuid.uuid4()))


async def send(bus, *bodies):
    """Put all on the queue at once, so that they may come as one batch."""
    async with bus.get_queue_sender(ACCESS_EVENTS_QUEUE.name) as sender:
        await sender.send_messages([message(body) for body in bodies])


async def parked(bus, marks):
    """The reasons with which the bodies that contain one of `marks` were parked."""

    async def look():
        found = {}
        for one in await peeked(bus, PARKED_MESSAGES_QUEUE.name):
            body = b"".join(one.body)
            for mark in marks:
                if mark.encode() in body:
                    properties = {
                        k.decode() if isinstance(k, bytes) else k: v
                        for k, v in one.application_properties.items()
                    }
                    reason = properties["parked-reason"]
                    found[mark] = reason.decode() if isinstance(reason, bytes) else reason
        return found

    return await eventually(look, lambda found: len(found) == len(marks))


async def logged(portal, action, count):
    async def look():
        return [entry for entry in await portal.log() if entry["action"] == action]

    return await eventually(look, lambda found: len(found) >= count)


async def test_a_batch_is_logged_in_the_queues_order(bus, portal):
    marks = [f"order-{number:03d}" for number in range(120)]
    start = datetime.now(UTC)
    await send(
        bus,
        *(
            event(
                portal.tenant,
                resource=f"assets/{mark}",
                action="ordered",
                at=start + timedelta(milliseconds=number),
            )
            for number, mark in enumerate(marks)
        ),
    )
    entries = await logged(portal, "ordered", len(marks))
    assert [entry["resource"] for entry in reversed(entries)] == [f"assets/{m}" for m in marks]


async def test_bad_messages_are_parked_one_by_one_and_the_good_ones_are_logged(bus, portal):
    mark = uuid.uuid4().hex
    good = [
        event(portal.tenant, resource=f"assets/good-{n}", action=f"mixed-{mark}") for n in range(3)
    ]
    bad = {
        f"{mark}-no-json": (b"{" + f"{mark}-no-json".encode(), "message-invalid"),
        f"{mark}-deep": (
            b'{"id":"' + f"{mark}-deep".encode() + b'","data":' + 10_000 * b"[",
            "message-invalid",
        ),
        f"{mark}-ours": (
            event(portal.tenant, resource=f"{mark}-ours") | {"source": "/vouchsafe"},
            "event-source-reserved",
        ),
        f"{mark}-foreign": (
            event("nobody-here", resource=f"{mark}-foreign"),
            "tenant-not-found",
        ),
        f"{mark}-unknown-field": (
            event(portal.tenant, resource=f"{mark}-unknown-field", colour="red"),
            "message-data-invalid",
        ),
        f"{mark}-too-long": (
            event(portal.tenant, resource=f"{mark}-too-long", purpose="x" * 513),
            "message-data-invalid",
        ),
        f"{mark}-type": (
            event(portal.tenant, kind="vouchsafe.access.recorded.v9", resource=f"{mark}-type"),
            "message-type-unknown",
        ),
        f"{mark}-misdirected": (
            event("x", kind="vouchsafe.incident.opened.v1")
            | {
                "data": {
                    "kind": "k",
                    "severity": "warning",
                    "summary": f"{mark}-misdirected",
                    "resource": "r",
                }
            },
            "message-type-misdirected",
        ),
        f"{mark}-person": (
            event(portal.tenant, resource=f"people/{mark}-person@acme.example"),
            "log-entry-names-person",
        ),
        f"{mark}-purpose": (
            event(portal.tenant, resource=f"{mark}-purpose", purpose="for zoe@acme.example"),
            "log-entry-names-person",
        ),
    }
    bodies = [body for body, _ in bad.values()]
    await send(bus, good[0], *bodies[:3], good[1], *bodies[3:], good[2])
    reasons = await parked(bus, list(bad))
    assert reasons == {mark: reason for mark, (_, reason) in bad.items()}
    entries = await logged(portal, f"mixed-{mark}", 3)
    assert [e["resource"] for e in reversed(entries)] == [f"assets/good-{n}" for n in range(3)]


async def test_an_event_says_which_request_it_goes_back_to(bus, portal):
    named = event(portal.tenant, action="correlated", correlationId="in-the-data")
    chained = event(portal.tenant, action="correlated") | {"correlationid": "in-the-envelope"}
    alone = event(portal.tenant, action="correlated")
    await send(bus, named, chained, alone)
    entries = await logged(portal, "correlated", 3)
    assert {e["id"]: e["correlationId"] for e in entries} == {
        named["id"]: "in-the-data",
        chained["id"]: "in-the-envelope",
        alone["id"]: alone["id"],
    }


async def test_a_clock_that_is_ahead_is_flagged_and_a_repeated_event_is_one(bus, portal):
    ahead = event(portal.tenant, action="early", at=datetime.now(UTC) + timedelta(hours=1))
    await send(bus, ahead, ahead, ahead | {"time": ahead["time"].replace("+00:00", "Z")})
    last = event(portal.tenant, action="early")
    await send(bus, last)
    entries = await logged(portal, "early", 2)
    assert [(one["id"], one["clockAhead"]) for one in entries] == [
        (last["id"], False),
        (ahead["id"], True),
    ]


async def test_an_id_that_comes_again_with_another_content_is_parked(bus, portal):
    mark = uuid.uuid4().hex
    first = event(portal.tenant, action=f"first-{mark}")
    await send(bus, first)
    await logged(portal, f"first-{mark}", 1)
    await send(bus, first | {"data": first["data"] | {"resource": f"{mark}-other"}})
    assert await parked(bus, [f"{mark}-other"]) == {f"{mark}-other": "event-id-reused"}
    assert len(await logged(portal, f"first-{mark}", 1)) == 1
