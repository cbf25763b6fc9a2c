"""A mail server that is full, refuses, drops the connection, or whose client is killed."""

import asyncio
import json
from datetime import timedelta

import pytest
from azure.servicebus.aio import ServiceBusClient

from shared.catalogue import INCIDENTS_QUEUE, NOTICES_QUEUE
from shared.errors import ConflictError
from shared.notices.rules import HANDING_OVER, PAUSES
from tests.notices.flows import (
    ADA,
    attempted,
    flow_of,
    infected,
    sent_to,
    states,
    taken,
    the_delivery,
    with_contact,
)
from tests.queues import peeked


class KilledError(BaseException):
    """Stands for the end of the process at a line."""


@pytest.fixture
async def bus(services):
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
async def contact(app, tenant):
    return await with_contact(app, tenant)


async def test_a_notice_is_delivered_once_however_often_its_messages_come(
    app, tenant, contact, mail_server
):
    event = infected(app, tenant)
    notice = await taken(app, event)
    await taken(app, event)
    for _ in range(3):
        await attempted(app, tenant, notice, contact)
    assert await states(app, tenant, notice) == ["delivered"]
    [(address, content)] = mail_server.kept
    assert address == "privacy@tenant.example"
    assert notice.encode() in content


async def test_two_attempts_at_once_hand_over_once(app, tenant, contact, mail_server):
    notice = await taken(app, infected(app, tenant))
    await asyncio.gather(*(attempted(app, tenant, notice, contact) for _ in range(4)))
    assert len(mail_server.kept) == 1


@pytest.mark.parametrize("at", ["at_recipient", "at_data"])
async def test_a_reply_for_a_time_is_tried_again_after_a_pause(
    app, tenant, contact, mail_server, at
):
    setattr(mail_server, at, ["452 4.2.2 full", "250 ok"])
    notice = await taken(app, infected(app, tenant))
    await attempted(app, tenant, notice, contact)
    delivery = await the_delivery(app, tenant, notice)
    assert (delivery.state, delivery.attempts[0].result) == ("waiting", "smtp-452")
    assert delivery.due_at - delivery.attempts[0].at == PAUSES[0]
    # The message of the first attempt again changes nothing.
    await attempted(app, tenant, notice, contact)
    assert mail_server.kept == []
    await attempted(app, tenant, notice, contact, attempt=1)
    assert await states(app, tenant, notice) == ["delivered"]


async def test_after_three_days_the_delivery_is_given_up_and_told(
    app, tenant, contact, mail_server, bus
):
    mail_server.at_recipient = ["451 4.3.0 later"]
    notice = await taken(app, infected(app, tenant))
    for attempt in range(len(PAUSES) + 1):
        assert await states(app, tenant, notice) == ["waiting"]
        await attempted(app, tenant, notice, contact, attempt=attempt)
    assert await states(app, tenant, notice) == ["refused"]
    assert timedelta(hours=70) < sum(PAUSES, timedelta()) < timedelta(hours=74)
    [incident] = await sent_to(bus, INCIDENTS_QUEUE.name, tenant)
    assert (incident["kind"], incident["resource"]) == ("notice.refused", f"contacts/{contact}")


async def test_a_refusal_is_told_to_an_operator_and_the_other_contacts_once_a_day(
    app, tenant, contact, mail_server, bus
):
    mail_server.at_recipient = ["550 5.1.1 no such user"]
    for _ in range(3):
        notice = await taken(app, infected(app, tenant))
        await attempted(app, tenant, notice, contact)
        assert await states(app, tenant, notice) == ["refused"]
    [incident] = await sent_to(bus, INCIDENTS_QUEUE.name, tenant)
    assert "550" in incident["summary"]
    assert "@" not in str(incident)
    told = await sent_to(bus, NOTICES_QUEUE.name, tenant)
    assert {one["contactId"] for one in told} == {contact}
    assert len(told) == 1


async def test_a_drop_after_the_data_leaves_the_delivery_in_doubt(
    app, tenant, contact, mail_server, bus
):
    mail_server.at_data = ["drop", "250 ok"]
    notice = await taken(app, infected(app, tenant))
    await attempted(app, tenant, notice, contact)
    assert await states(app, tenant, notice) == ["in-doubt"]
    await attempted(app, tenant, notice, contact)
    await attempted(app, tenant, notice, contact, attempt=1)
    assert len(mail_server.kept) == 1
    [incident] = await sent_to(bus, INCIDENTS_QUEUE.name, tenant)
    assert incident["kind"] == "notice.in-doubt"
    # A tenant can ask for the notice again.
    await flow_of(app).notices.deliver_again(tenant, notice, contact, ADA)
    await attempted(app, tenant, notice, contact, asked=1)
    assert await states(app, tenant, notice) == ["in-doubt", "delivered"]
    first, second = (content for _, content in mail_server.kept)
    assert message_id(first) != message_id(second)


async def test_a_drop_before_the_data_is_tried_again(app, tenant, contact, mail_server):
    mail_server.at_recipient = ["drop", "250 ok"]
    notice = await taken(app, infected(app, tenant))
    await attempted(app, tenant, notice, contact)
    assert await states(app, tenant, notice) == ["waiting"]
    await attempted(app, tenant, notice, contact, attempt=1)
    assert await states(app, tenant, notice) == ["delivered"]


@pytest.mark.parametrize("commit", [1, 2])
async def test_killed_around_the_handing_over_no_mail_is_sent_twice(
    app, tenant, contact, mail_server, time, monkeypatch, commit
):
    """The first commit of an attempt is `handing-over`, the second the outcome."""
    notice = await taken(app, infected(app, tenant))
    original, count = app.tables.commit, 0

    async def killed(table, operations):
        nonlocal count
        if table == "notices":
            count += 1
            if count == commit:
                if commit == 1:
                    await original(table, operations)
                raise KilledError
        return await original(table, operations)

    monkeypatch.setattr(app.tables, "commit", killed)
    with pytest.raises(KilledError):
        await attempted(app, tenant, notice, contact)
    monkeypatch.undo()
    assert await states(app, tenant, notice) == ["handing-over"]
    # The attempt may be alive: nothing is judged yet.
    await attempted(app, tenant, notice, contact)
    assert await states(app, tenant, notice) == ["handing-over"]
    time.ahead += HANDING_OVER
    await attempted(app, tenant, notice, contact)
    assert await states(app, tenant, notice) == ["in-doubt"]
    assert len(mail_server.kept) == commit - 1


async def test_a_server_that_is_away_loses_no_notice(app, tenant, contact, mail_server):
    port, flow = mail_server.port, flow_of(app)
    object.__setattr__(flow.mail._server, "port", 1)
    notice = await taken(app, infected(app, tenant))
    await attempted(app, tenant, notice, contact)
    assert await states(app, tenant, notice) == ["waiting"]
    object.__setattr__(flow.mail._server, "port", port)
    await attempted(app, tenant, notice, contact, attempt=1)
    assert len(mail_server.kept) == 1


async def test_a_server_that_lets_wait_is_spared_for_a_minute(
    app, tenant, contact, mail_server, time, monkeypatch
):
    monkeypatch.setattr("shared.notices.channels.mail.transport._REPLY_SECONDS", 0.5)
    mail_server.at_recipient = ["hang", "250 ok"]
    first = await taken(app, infected(app, tenant))
    await attempted(app, tenant, first, contact)
    assert (await the_delivery(app, tenant, first)).attempts[0].result == "smtp-timeout"
    second = await taken(app, infected(app, tenant))
    await attempted(app, tenant, second, contact)
    delivery = await the_delivery(app, tenant, second)
    assert (delivery.state, delivery.attempts, mail_server.connections) == ("waiting", (), 1)
    time.ahead += timedelta(minutes=1)
    await attempted(app, tenant, second, contact)
    assert await states(app, tenant, second) == ["delivered"]


async def test_notices_that_wait_for_an_hour_are_told(app, tenant, contact, mail_server, bus):
    mail_server.at_recipient = ["451 4.3.0 later"]
    notice = await taken(app, infected(app, tenant))
    for attempt in range(4):
        await attempted(app, tenant, notice, contact, attempt=attempt)
    found = [json.loads(b"".join(m.body))["data"] for m in await peeked(bus, INCIDENTS_QUEUE.name)]
    assert [one["resource"] for one in found if one["kind"] == "notice.delayed"][:1] == [
        "notice-channels/mail"
    ]


async def test_a_server_without_starttls_gets_no_mail(app, tenant, contact, mail_server):
    object.__setattr__(flow_of(app).mail._server, "needs_tls", True)
    notice = await taken(app, infected(app, tenant))
    await attempted(app, tenant, notice, contact)
    delivery = await the_delivery(app, tenant, notice)
    assert (delivery.state, mail_server.kept) == ("waiting", [])


async def test_connections_are_used_for_several_mails(app, tenant, contact, mail_server):
    for _ in range(5):
        notice = await taken(app, infected(app, tenant))
        await attempted(app, tenant, notice, contact)
    assert (len(mail_server.kept), mail_server.connections) == (5, 1)


async def test_a_delivery_under_way_cannot_be_asked_for_again(app, tenant, contact):
    notice = await taken(app, infected(app, tenant))
    with pytest.raises(ConflictError) as refused:
        await flow_of(app).notices.deliver_again(tenant, notice, contact, ADA)
    assert refused.value.code == "notice-delivery-open"


def message_id(content):
    from email import message_from_bytes

    return message_from_bytes(content)["Message-ID"]
