"""A notice's way to contacts: preferences, digests, drills, and notices that cannot be written."""

import json
from email import message_from_bytes
from email.policy import default

import msgspec
import pytest
from azure.servicebus.aio import ServiceBusClient

from shared.catalogue import INCIDENTS_QUEUE
from shared.messages.contracts import BreachNotified, IncidentEscalated
from shared.notices.records import digest_id
from shared.notices.rules import MOST_AT_ONCE, SLOT
from shared.tenancy import TenantChange
from tests.compositions import PORTAL
from tests.notices.flows import (
    ADA,
    attempted,
    event_of,
    flow_of,
    infected,
    rows_of,
    sent_to,
    states,
    taken,
    with_contact,
)
from tests.notices.test_texts import example


@pytest.fixture
async def bus(services):
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


async def registered_addresses(app, tenant, *addresses):
    seen, etag = await app.tenants.read(tenant)
    changed = TenantChange(contacts=addresses)
    await app.tenants.change(seen, etag, changed, PORTAL, app.new_id())


def breach(app, tenant, **given):
    notice = example(BreachNotified, tenant=tenant, **given)
    return event_of(app, notice, "vouchsafe.breach.notified.v1")


async def test_the_addresses_of_the_registration_are_contacts(app, tenant):
    await registered_addresses(app, tenant, "a@tenant.example", "b@tenant.example")
    contacts = flow_of(app).contacts
    first = await contacts.of(tenant)
    assert [one.address for one in first] == ["a@tenant.example", "b@tenant.example"]
    assert [one.kinds for one in first] == [None, None]
    # The tenant removes an address, and the vendor takes the other from the registration.
    seen, etag = await contacts.read(tenant, first[0].id)
    await contacts.remove(tenant, seen, etag, ADA)
    assert [one.id for one in await contacts.of(tenant)] == [first[1].id]
    await registered_addresses(app, tenant, "a@tenant.example", "c@tenant.example")
    assert [one.address for one in await contacts.of(tenant)] == ["c@tenant.example"]


async def test_a_registered_address_that_is_none_gets_no_mail(app, tenant, mail_server):
    await registered_addresses(app, tenant, "a..b@tenant.example", "good@tenant.example")
    notice = await taken(app, infected(app, tenant))
    assert len(await states(app, tenant, notice)) == 1
    found = {one.address: one.disabled for one in await flow_of(app).contacts.of(tenant)}
    assert found["a..b@tenant.example"] == "contact-address-invalid"


async def test_a_burst_is_gathered_into_one_mail(app, tenant, mail_server, time):
    contact = await with_contact(app, tenant)
    # At the beginning of a slot, so that the burst is within it.
    time.ahead += SLOT - (app.clock() - slot(app))
    notices = [await taken(app, infected(app, tenant)) for _ in range(MOST_AT_ONCE + 30)]
    found = [(await states(app, tenant, notice))[0] for notice in notices]
    assert found == ["waiting"] * MOST_AT_ONCE + ["gathered"] * 30
    digests = await rows_of(app, tenant, "delivery|digest-")
    assert len(digests) == 1
    digest = str(digests[0].values["notice"])
    await attempted(app, tenant, digest, contact)
    [(_, content)] = mail_server.kept
    message = message_from_bytes(content, policy=default)
    assert message["Subject"].endswith("(30)")
    text = message.get_body(("plain",)).get_content()
    assert all(notice in text for notice in notices[MOST_AT_ONCE:])
    assert (await states(app, tenant, notices[-1])) == ["delivered"]
    # The next slot begins anew, and an urgent notice was never gathered.
    assert await states(app, tenant, await taken(app, breach(app, tenant, is_drill=False))) == [
        "waiting"
    ]


def slot(app):
    from shared.notices.rules import slot_of

    return slot_of(app.clock())


async def test_a_daily_contact_gets_one_digest(app, tenant, mail_server):
    contact = await with_contact(app, tenant, timing="daily")
    notices = [await taken(app, infected(app, tenant)) for _ in range(3)]
    assert [await states(app, tenant, one) for one in notices] == [["gathered"]] * 3
    [digest] = await rows_of(app, tenant, "delivery|digest-")
    assert str(digest.values["notice"]).startswith(f"digest-{contact}-")
    for _ in range(2):
        await attempted(app, tenant, str(digest.values["notice"]), contact)
    assert len(mail_server.kept) == 1


async def test_a_drill_is_recorded_and_goes_to_nobody(app, tenant, mail_server):
    contact = await with_contact(app, tenant)
    notice = await taken(app, breach(app, tenant, is_drill=True))
    assert await states(app, tenant, notice) == ["drill"]
    record, _ = await flow_of(app).notices.find(tenant, notice)
    assert record.is_drill
    await attempted(app, tenant, notice, contact)
    assert mail_server.kept == []
    await with_contact(app, tenant, "second@tenant.example")


async def test_a_notice_that_lacks_a_value_goes_out_plain_with_an_incident(
    app, tenant, mail_server, bus
):
    contact = await with_contact(app, tenant, language="de")
    for _ in range(2):
        notice = await taken(app, breach(app, tenant, is_drill=False, what_happened=""))
        await attempted(app, tenant, notice, contact)
        assert await states(app, tenant, notice) == ["delivered"]
    message = message_from_bytes(mail_server.kept[0][1], policy=default)
    assert message["Subject"].startswith("Verletzung")
    assert "breachId" in message.get_body(("plain",)).get_content()
    [incident] = await sent_to(bus, INCIDENTS_QUEUE.name, tenant)
    assert incident["kind"] == "notice.unwritten"
    assert incident["resource"] == "notice-kinds/breach"


async def test_a_breach_without_a_contact_is_an_incident(app, tenant, bus):
    await taken(app, breach(app, tenant, is_drill=False))
    [incident] = await sent_to(bus, INCIDENTS_QUEUE.name, tenant)
    assert (incident["kind"], incident["severity"]) == ("notice.without-contact", "critical")


async def test_the_largest_notice_is_kept_whole(app, tenant):
    long = "ä" * 4000
    notice = example(
        BreachNotified,
        tenant=tenant,
        is_drill=False,
        what_happened=long,
        consequences=long,
        measures=long,
        unknown=long,
        assets=tuple(f"{n:03}" + "x" * 1000 for n in range(100)),
        categories=tuple(f"{n:03}" + "y" * 500 for n in range(100)),
    )
    identifier = await taken(app, event_of(app, notice, "vouchsafe.breach.notified.v1"))
    record, _ = await flow_of(app).notices.find(tenant, identifier)
    data = json.loads(record.event)["data"]
    assert msgspec.convert(data, BreachNotified) == notice


async def test_staff_are_told_by_role(app, mail_server):
    contact = await with_contact(app, None, "dpo@vendor.example", roles=("vendor.dpo",))
    escalated = example(IncidentEscalated, is_drill=False, roles=("vendor.dpo",), tenant=None)
    event = event_of(app, escalated, "vouchsafe.incident.escalated.v1")
    notice = await taken(app, event)
    await attempted(app, None, notice, contact)
    assert [address for address, _ in mail_server.kept] == ["dpo@vendor.example"]
    message = message_from_bytes(mail_server.kept[0][1], policy=default)
    assert message["List-Unsubscribe"] is None


async def test_the_link_of_a_mail_turns_a_kind_off(app, tenant, mail_server):
    contact = await with_contact(app, tenant)
    notice = await taken(app, infected(app, tenant))
    await attempted(app, tenant, notice, contact)
    message = message_from_bytes(mail_server.kept[0][1], policy=default)
    token = message["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for _ in range(2):
        await flow_of(app).contacts.refuse(token)
    assert await states(app, tenant, await taken(app, infected(app, tenant))) == []
    mandatory = await taken(app, breach(app, tenant, is_drill=False))
    await attempted(app, tenant, mandatory, contact)
    message = message_from_bytes(mail_server.kept[1][1], policy=default)
    assert message["List-Unsubscribe"] is None


def test_the_id_of_a_digest_is_an_id():
    from datetime import UTC, datetime

    from shared.ids import is_id

    assert is_id(digest_id("01ARZ3NDEKTSV4RRFFQ69G5FAV", datetime(2026, 3, 1, tzinfo=UTC)))
