"""Failed messages are listed, shown, replayed and discarded on real queues and real storage."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusSubQueue

from shared.accesslog.reading.filters import EntryFilter
from shared.catalogue import PARKED_CONTAINER
from shared.errors import InvalidInputError, MalformedInputError, NotFoundError
from shared.failed_messages import MessageFilter
from tests.compositions import registered
from tests.failed_messages.steps import (
    ITO,
    body_of,
    dead_letter,
    event,
    flow,
    listed,
    park,
    record,
    send,
    taken_off,
)

WHY = "INC-7 is mended"
LONG = "x" * 200_000


@pytest.fixture
async def tenant(app):
    return await registered(app)


async def log_of(app, tenant):
    entries = [one async for one in app.log_reading.every(tenant, EntryFilter())]
    return [(one.action, one.purpose) for one in entries if one.action.startswith("message.")]


async def acts(app):
    found, _ = await record(app).page(size=1000, continuation=None)
    return {(one.action, one.resource, one.reason, one.actor.id) for one in found}


async def test_every_queue_is_listed_with_filters(app, bus, tenant):
    await park(app, "consent-grants", 7, event(tenant), tenant)
    await dead_letter(bus, "consent-grants", event(tenant), tenant)
    await dead_letter(bus, "intake", json.dumps({"data": {"name": f"{tenant}/x"}}).encode())
    await dead_letter(bus, "incidents", b"no json")
    own = await listed(app, tenant=tenant)
    assert [(one.queue, one.reason, one.is_parked) for one in own] == [
        ("consent-grants", "message-invalid", True),
        ("intake", "MaxDeliveryCountExceeded", False),
        ("consent-grants", "MaxDeliveryCountExceeded", False),
    ]
    assert len(await listed(app, tenant=tenant, queue="consent-grants")) == 2
    assert len(await listed(app, tenant=tenant, reason="message-invalid")) == 1
    assert len(await listed(app, tenant=tenant, type="vouchsafe.consent.revoked.v1")) == 2
    past = datetime.now(UTC) - timedelta(hours=1)
    assert await listed(app, tenant=tenant, before=past) == []
    assert len(await listed(app, tenant=tenant, after=past)) == 3
    assert any(one.tenant is None for one in await listed(app, queue="incidents"))
    # A page of one leads to the same messages.
    assert await listed(app, size=1, tenant=tenant) == own
    for token in ("", "x", "99.1", "0.0", "0.x", "-1.1", "0." + "9" * 30):
        with pytest.raises(MalformedInputError):
            await flow(app).page(MessageFilter(), size=1, continuation=token)
    ids = [one.id for one in own]
    await flow(app).discard(ids, WHY, ITO)
    assert await listed(app, tenant=tenant) == []


async def test_a_session_is_replayed_in_its_order(app, bus, tenant):
    bodies = [event(tenant, grantId=f"g-{number}") for number in range(6)]
    # Parked in any order; the numbers of the queue tell the order.
    for number in (3, 0, 5):
        await park(app, "consent-grants", 10**6 + number, bodies[number], tenant, trace="t-1")
    for number in (1, 4, 2):
        await park(app, "consent-grants", 10**6 + number, bodies[number], tenant, trace="t-1")
    found = await listed(app, tenant=tenant)
    outcomes = await flow(app).replay([one.id for one in found], WHY, ITO)
    assert {one.outcome for one in outcomes} == {"replayed"}
    back = await taken_off(bus, "consent-grants", tenant)
    assert [body_of(one) for one in back] == bodies
    assert {one.application_properties[b"trace"] for one in back} == {b"t-1"}
    assert not any(name.startswith(b"parked-") for name in back[0].application_properties)
    assert {one.content_type for one in back} == {"application/cloudevents+json"}
    assert {one.session_id for one in back} == {tenant}
    assert await listed(app, tenant=tenant) == []
    assert await log_of(app, tenant) == [("message.replayed", WHY)] * 6


async def test_a_whole_body_comes_from_its_blob(app, bus, tenant):
    body = event(tenant, note=LONG)
    await park(app, "access-events", 8, body, content_type="a/b; c=\u0416")
    [failed] = await listed(app, queue="access-events", reason="message-invalid")
    assert len(failed.message.body) < len(body)
    _, shown = await flow(app).disclose(failed.id, WHY, ITO)
    assert shown == body
    [outcome] = await flow(app).replay([failed.id], WHY, ITO)
    assert outcome.outcome == "replayed"
    [back] = await taken_off(bus, "access-events")
    assert body_of(back) == body


@pytest.mark.parametrize("fault", ["gone", "of another message", "unreadable"])
async def test_a_body_that_is_lost_is_refused_and_stays(app, bus, fault):
    await park(app, "access-events", 20 + len(fault), event("acme", note=LONG + fault))
    [failed] = await listed(app, queue="access-events", reason="message-invalid")
    name = PARKED_CONTAINER.name
    kept = await app.blobs.head(name, failed.blob)
    async with app.blobs.read(kept) as chunks:
        content = b"".join([chunk async for chunk in chunks])
    await app.blobs.delete(name, failed.blob)
    if fault == "of another message":
        other = json.loads(content) | {"body": "eHh4"}
        await app.blobs.write(name, failed.blob, json.dumps(other).encode(), "application/json")
    if fault == "unreadable":
        await app.blobs.write(name, failed.blob, content[:-9], "application/json")
    [outcome] = await flow(app).replay([failed.id], WHY, ITO)
    code = "body-gone" if fault == "gone" else "not-replayable"
    assert (outcome.outcome, outcome.code) == ("refused", f"failed-message-{code}")
    assert len(await listed(app, queue="access-events")) == 1
    [outcome] = await flow(app).discard([failed.id], WHY, ITO)
    assert outcome.outcome == "discarded"
    await app.blobs.delete(name, failed.blob)


async def test_a_message_of_nobody_is_in_the_stamps_record(app, bus):
    await dead_letter(bus, "access-events", event("nobody-there"))
    await dead_letter(bus, "access-events", b"no json")
    found = await listed(app, queue="access-events")
    assert [one.tenant for one in found] == ["nobody-there", None]
    await flow(app).show(found[0].id, ITO)
    await flow(app).disclose(found[1].id, "TICKET-1", ITO)
    await flow(app).discard([one.id for one in found], WHY, ITO)
    places = [f"failed-messages/{one.id}" for one in found]
    assert {
        ("message.viewed", places[0], None, "ito"),
        ("message.disclosed", places[1], "TICKET-1", "ito"),
        ("message.discarded", places[0], WHY, "ito"),
        ("message.discarded", places[1], WHY, "ito"),
    } <= await acts(app)
    assert await listed(app, queue="access-events") == []


async def test_a_message_that_somebody_holds_is_busy_and_the_session_waits(app, bus, tenant):
    for number in (1, 2):
        await dead_letter(bus, "consent-grants", event(tenant, grantId=f"g-{number}"), tenant)
    other = await registered(app)
    await dead_letter(bus, "consent-grants", event(other), other)
    found = await listed(app, queue="consent-grants")
    assert [one.tenant for one in found] == [tenant, tenant, other]
    ids = [one.id for one in found]
    dead = ServiceBusSubQueue.DEAD_LETTER
    async with bus.get_queue_receiver("consent-grants", sub_queue=dead) as receiver:
        [held] = await receiver.receive_messages(1, max_wait_time=10)
        outcomes = await flow(app).replay(ids, WHY, ITO)
        assert [one.outcome for one in outcomes] == ["busy", "held-back", "replayed"]
        await receiver.abandon_message(held)
    outcomes = await flow(app).replay(ids, WHY, ITO)
    assert [one.outcome for one in outcomes] == ["replayed", "replayed", "gone"]
    back = await taken_off(bus, "consent-grants", tenant)
    assert [json.loads(body_of(one))["data"]["grantId"] for one in back] == ["g-1", "g-2"]
    await taken_off(bus, "consent-grants", other)


async def test_two_operators_at_once_replay_once(app, bus, tenant):
    for number in range(5):
        await dead_letter(bus, "access-events", event(tenant, grantId=f"g-{number}"))
    ids = [one.id for one in await listed(app, queue="access-events")]
    both = await asyncio.gather(*(flow(app).replay(ids, WHY, ITO) for _ in range(2)))
    done = [one.id for outcomes in both for one in outcomes if one.outcome == "replayed"]
    assert sorted(done) == sorted(ids)
    assert len(await taken_off(bus, "access-events")) == 5


async def test_a_message_among_many_is_reached(app, bus, tenant):
    for _ in range(120):
        await park(app, "access-events", int(uuid.uuid4().int % 10**9), event(tenant))
    wanted = event(tenant, grantId="last")
    await park(app, "access-events", 10**10, wanted)
    ids = {one.number: one.id for one in await listed(app, queue="access-events")}
    [outcome] = await flow(app).replay([ids[10**10]], WHY, ITO)
    assert outcome.outcome == "replayed"
    assert [body_of(one) for one in await taken_off(bus, "access-events")] == [wanted]
    rest = await listed(app, queue="access-events")
    assert len(rest) == 120
    for start in (0, 100):
        await flow(app).discard([one.id for one in rest[start : start + 100]], WHY, ITO)
    assert await listed(app, queue="access-events") == []


@pytest.mark.parametrize(
    "identifier",
    ["", "x", "intake:1:000000000000", "nowhere.dead:1:000000000000", "intake.dead:1:00000000000g"],
)
async def test_an_id_of_no_place_is_not_found(app, identifier):
    for act in (flow(app).replay, flow(app).discard):
        with pytest.raises(NotFoundError):
            await act([identifier], WHY, ITO)
    with pytest.raises(NotFoundError):
        await flow(app).show(identifier, ITO)


async def test_an_id_of_an_earlier_message_with_the_number_names_nothing(app, bus):
    await dead_letter(bus, "access-events", b"x")
    [failed] = await listed(app, queue="access-events")
    other = failed.id[:-12] + "0" * 12
    with pytest.raises(NotFoundError):
        await flow(app).show(other, ITO)
    for act in (flow(app).replay, flow(app).discard):
        [outcome] = await act([other], WHY, ITO)
        assert outcome.outcome == "gone"
    await flow(app).discard([failed.id], WHY, ITO)


async def test_one_request_takes_a_hundred_at_most(app):
    ids = [f"intake.dead:{number}:000000000000" for number in range(101)]
    for wrong in ([], ids):
        with pytest.raises(InvalidInputError):
            await flow(app).replay(wrong, WHY, ITO)


async def test_a_copy_from_a_stranger_is_discarded_alone(app, bus):
    """Whoever may send to `parked-messages` chooses the properties."""
    wrong = {"parked-queue": "tenants", "parked-blob": "parked/../evidence/x", "parked-at": "x"}
    await send(bus, "parked-messages", b"x", application_properties=wrong)
    await send(
        bus,
        "parked-messages",
        b"y",
        application_properties={"parked-queue": "access-events", "parked-blob": "parked/../x"},
    )
    found = await listed(app, queue="parked-messages") + await listed(app, queue="access-events")
    outcomes = await flow(app).replay([one.id for one in found], WHY, ITO)
    assert [one.outcome for one in outcomes] == ["refused", "refused"]
    await flow(app).discard([one.id for one in found], WHY, ITO)
