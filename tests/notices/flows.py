"""What tests of the deliveries do with the app in their own process."""

import json

from shared.composition.notices import NoticesFlow
from shared.ids import new_id
from shared.messages import CloudEvent
from shared.messages.contracts import NoticeDeliveryDue, UploadInfected
from shared.messages.contracts.base import Actor
from shared.notices.contact_rules import ContactTerms
from shared.notices.records import partition_of

ADA = Actor(id="ada", role="tenant.admin", organisation="acme")


def flow_of(app):
    return app.flow(NoticesFlow)


async def with_contact(app, tenant, address="privacy@tenant.example", **terms):
    """The id of a new contact."""
    given = {"channel": "mail", "language": "en", "time_zone": "Europe/Oslo", "timing": "at-once"}
    checked = ContactTerms(address=address, **given | terms)
    contact, _, _ = await flow_of(app).contacts.add(tenant, checked, app.new_id(), ADA)
    return contact.id


def event_of(app, data, kind="vouchsafe.upload.infected.v1"):
    return CloudEvent(app.new_id(), "/vouchsafe", kind, app.clock(), data)


def infected(app, tenant):
    now = app.clock()
    return event_of(app, UploadInfected(tenant=tenant, asset_id=new_id(now), found_at=now))


async def taken(app, event):
    """The id of the notice of an event that the app took."""
    from shared.notices.rules import notice_id

    await flow_of(app).notices.take(event)
    return notice_id(event.time, event.source, event.id)


async def states(app, tenant, notice):
    found = await flow_of(app).notices.deliveries(tenant, notice)
    return [one.state for one in found]


async def the_delivery(app, tenant, notice):
    [found] = await flow_of(app).notices.deliveries(tenant, notice)
    return found


async def attempted(app, tenant, notice, contact, *, attempt=0, asked=0):
    """Carry an attempt out, as the message that is due does."""
    due = NoticeDeliveryDue(
        tenant=tenant, notice_id=notice, contact_id=contact, asked=asked, attempt=attempt
    )
    await flow_of(app).deliverer.deliver(due)


async def rows_of(app, tenant, prefix):
    rows = app.tables.scan("notices", partition_of(tenant), prefix=prefix)
    return [row async for row in rows]


async def sent_to(bus, queue, tenant):
    """The data of a tenant's messages on a queue."""
    from tests.queues import peeked

    found = [json.loads(b"".join(m.body))["data"] for m in await peeked(bus, queue)]
    return [one for one in found if one.get("tenant") == tenant]
