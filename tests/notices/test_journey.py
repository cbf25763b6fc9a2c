"""Notices on the whole stack: from the event to the mailbox and the webhook, over HTTP."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from samples.eicar import eicar
from shared.ids import new_id
from shared.messages.contracts import UploadInfected
from tests.journeys.portal import Portal, eventually
from tests.notices.steps import hook_client, mails_to, told


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


async def test_a_webhook_arrives_signed_and_can_be_replayed(stack, portal, bus, name):
    url = f"{stack.info['endpoints']['webhook_receiver']}/hooks/{name}"
    hook = await added(portal, channel="webhook", address=url)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", hook["secret"])
    shown = (await portal.mine("GET", f"contacts/{hook['id']}", who="ada")).json()
    assert shown["secret"] is None
    async with hook_client(stack) as receiver:
        await receiver.put(f"/hooks/{name}", json={"secret": hook["secret"]})
        sent = await infected(bus, name)

        async def arrived():
            return (await receiver.get(f"/hooks/{name}")).json()

        [arrival] = await eventually(arrived, bool)
        assert arrival["data"]["type"] == "vouchsafe.upload.infected.v1"
        assert arrival["data"]["data"]["assetId"] == sent.asset_id
        notice = await only_notice(portal)
        await ended(portal, notice["id"])
        again = await portal.mine(
            "POST", f"notices/{notice['id']}/deliveries", body={"contact": hook["id"]}
        )
        assert again.status_code == 202, again.text
        arrivals = await eventually(arrived, lambda found: len(found) == 2)
        assert arrivals[0]["id"] != arrivals[1]["id"]
        assert arrivals[0]["data"] == arrivals[1]["data"]


async def test_a_webhook_that_is_gone_is_disabled_and_the_others_are_told(stack, portal, bus, name):
    address = f"others@{name}.example"
    await added(portal, address=address, kinds=["undelivered"])
    url = f"{stack.info['endpoints']['webhook_receiver']}/hooks/{name}"
    hook = await added(portal, channel="webhook", address=url)
    async with hook_client(stack) as receiver:
        await receiver.put(f"/hooks/{name}", json={"secret": hook["secret"], "status": 410})
    await infected(bus, name)

    async def disabled():
        return (await portal.mine("GET", f"contacts/{hook['id']}", who="ada")).json()["disabled"]

    assert await eventually(disabled, bool) == "http-410"
    [mail] = await eventually(lambda: mails_to(stack, address), bool)
    assert hook["id"] in mail["text"]
    assert "hooks" not in mail["text"]


async def test_contacts_over_http(portal, name):
    address = f"privacy@{name}.example"
    contact = await added(portal, address=address, language="fr", kinds=["maintenance"])
    path = f"contacts/{contact['id']}"
    read = await portal.mine("GET", path, who="ada")
    etag = read.headers["ETag"]
    body = {"address": address, "language": "nb", "timeZone": "Europe/Oslo", "timing": "daily"}
    assert (await portal.mine("PUT", path, who="ada", body=body)).status_code == 428
    changed = await portal.mine("PUT", path, who="ada", body=body, headers={"If-Match": etag})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["language"], changed.json()["kinds"]) == ("nb", None)
    stale = await portal.mine("PUT", path, who="ada", body=body, headers={"If-Match": etag})
    assert stale.status_code == 412
    again = await portal.mine("POST", "contacts", who="ada", body={"address": address})
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (409, "contact-exists")
    for wrong in (
        {"address": "x@example.com\r\nBcc: y@example.com"},
        {"address": "https://127.0.0.1/", "channel": "webhook"},
        {"address": "x@example.com", "language": "xx"},
        {"address": "x@example.com", "timeZone": "Mars/Phobos"},
        {"address": "x@example.com", "kinds": ["gossip"]},
    ):
        answer = await portal.mine("POST", "contacts", who="ada", body=wrong)
        assert answer.status_code == 422, answer.text
    assert (await portal.mine("GET", "contacts", who="mia")).status_code == 403
    removed = await portal.mine(
        "DELETE", path, who="ada", headers={"If-Match": changed.headers["ETag"]}
    )
    assert removed.status_code == 204
    assert (await portal.mine("GET", "contacts", who="ada")).json()["contacts"] == []
    log = await eventually(
        portal.log, lambda log: any(entry["action"] == "contact.removed" for entry in log)
    )
    actions = [entry["action"] for entry in log if entry["action"].startswith("contact.")]
    assert {"contact.added", "contact.changed", "contact.removed"} <= set(actions)
    assert all("@" not in str(entry) for entry in log)


async def test_a_notice_is_read_acknowledged_and_refused_over_http(stack, portal, bus, name):
    address = f"privacy@{name}.example"
    contact = await added(portal, address=address)
    await infected(bus, name)
    notice = await only_notice(portal)
    await ended(portal, notice["id"])
    path = f"notices/{notice['id']}"
    read = (await portal.mine("GET", path, params={"language": "nb"})).json()
    assert read["subject"] == "En opplasting var infisert og er i karantene"
    assert (await portal.mine("GET", path, params={"language": "xx"})).status_code == 422
    for who in ("mia", "noor"):
        answer = await portal.mine("PUT", f"{path}/acknowledgement", who=who)
        assert (answer.status_code, answer.json()["acknowledgedBy"]) == (200, "mia")
    [mail] = await mails_to(stack, address)
    link = mail["headers"]["List-Unsubscribe"].strip("<>")
    below = link.partition("/api/")[2]
    opened = await portal.call("GET", below)
    assert (opened.status_code, opened.text.count("<form")) == (200, 1)
    form = {"List-Unsubscribe": "One-Click"}
    assert (await portal.send("POST", below, data=form)).status_code == 204
    kinds = (await portal.mine("GET", f"contacts/{contact['id']}", who="ada")).json()["kinds"]
    assert "upload-infected" not in kinds
    assert (await portal.send("POST", f"{below}x", data=form)).status_code == 404


async def test_staff_contacts_are_the_supervisors(http, token, portal):
    supervisor = {"Authorization": f"Bearer {token('vendor.it_supervisor', oid='ines')}"}
    support = {"Authorization": f"Bearer {token('vendor.support', oid='sven')}"}
    body = {"address": f"ines@{portal.tenant}.example", "roles": ["vendor.it_supervisor"]}
    refused = await http.post("/api/staff-contacts", json=body, headers=support)
    assert refused.status_code == 403
    answer = await http.post("/api/staff-contacts", json=body, headers=supervisor)
    assert answer.status_code == 201, answer.text
    place, etag = answer.headers["Location"], answer.headers["ETag"]
    listed = (await http.get("/api/staff-contacts", headers=supervisor)).json()["contacts"]
    assert answer.json()["id"] in {one["id"] for one in listed}
    removed = await http.delete(place, headers={**supervisor, "If-Match": etag})
    assert removed.status_code == 204


async def test_a_consent_and_its_revocation_are_told(stack, portal, name):
    address = f"privacy@{name}.example"
    await added(portal, address=address, language="nb")
    terms = {
        "operations": ["read"],
        "purpose": "A broken file",
        "ticket": "T-1",
        "engineer": "sven",
        "expiresAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    grant = (await portal.mine("POST", "consent-grants", body=terms)).json()
    await portal.mine("PUT", f"consent-grants/{grant['id']}/revocation")
    mails = await eventually(lambda: mails_to(stack, address), lambda found: len(found) == 2)
    assert {mail["subject"] for mail in mails} == {
        "Samtykke til tilgang er gitt",
        "Samtykke til tilgang er trukket tilbake",
    }
