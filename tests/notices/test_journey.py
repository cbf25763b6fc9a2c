"""Notices on the whole stack: from the event to the mailbox and the webhook, over HTTP."""

import asyncio
from datetime import UTC, datetime

import pytest

from samples.eicar import eicar
from shared.ids import new_id
from shared.messages.contracts import UploadInfected
from tests.journeys.portal import Portal, eventually
from tests.notices.steps import mails_to, told


@pytest.fixture
def name():
    return f"t{new_id(datetime.now(UTC)).lower()}"


@pytest.fixture
async def portal(stack, name):
    async with Portal(stack, name) as portal:
        yield portal


async def added(portal, **terms):
    """A contact of the tenant, added by its administrator."""
    answer = await portal.mine("POST", "contacts", who="ada", body=terms)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def infected(bus, tenant, identifier=None):
    now = datetime.now(UTC)
    notice = UploadInfected(tenant=tenant, asset_id=new_id(now), found_at=now)
    await told(bus, notice, identifier or new_id(now), now)
    return notice


async def only_notice(portal):
    async def listed():
        return (await portal.mine("GET", "notices")).json()["notices"]

    [found] = await eventually(listed, lambda notices: len(notices) == 1)
    return found


async def ended(portal, notice, count=1):
    async def read():
        return (await portal.mine("GET", f"notices/{notice}")).json()["deliveries"]

    def all_ended(deliveries):
        return len(deliveries) == count and all(one["endedAt"] for one in deliveries)

    return await eventually(read, all_ended)


async def test_an_infected_upload_is_told_by_mail_in_the_contacts_language(stack, portal, name):
    address = f"privacy@{name}.example"
    await added(portal, address=address, language="de", timeZone="Europe/Berlin")
    await portal.upload("virus.com", eicar())

    async def arrived():
        return await mails_to(stack, address)

    [mail] = await eventually(arrived, lambda mails: len(mails) == 1)
    assert mail["subject"] == "Ein Upload war infiziert und ist in Quarantäne"
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" in mail["headers"]
    notice = await only_notice(portal)
    [delivery] = await ended(portal, notice["id"])
    assert (delivery["state"], delivery["attempts"][0]["result"]) == ("delivered", "smtp-250")
    # A repetition of the event, or of the message, would have come by now.
    await asyncio.sleep(1)
    assert len(await arrived()) == 1
