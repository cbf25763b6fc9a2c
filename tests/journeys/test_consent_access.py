"""A support engineer and a tenant's consent: refused, granted, let in, revoked."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from azure.servicebus import ServiceBusMessage

from shared.catalogue import CONSENT_GRANTS_QUEUE, PARKED_MESSAGES_QUEUE
from shared.ids import new_id
from tests.journeys.portal import Portal, eventually
from tests.queues import peeked

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()
PURPOSE = "The crop of the cat looks wrong"
TICKET = "T-4711"
MIA = {"id": "mia", "role": "tenant.dam_manager", "organisation": "A tenant"}


def in_a(**duration):
    return (datetime.now(UTC) + timedelta(**duration)).isoformat()


def terms(**changed):
    """A grant for sven, with what is `changed` of it."""
    given = {"pathPrefix": "shoot", "operations": ["read"], "purpose": PURPOSE, "ticket": TICKET}
    return given | {"engineer": "sven", "expiresAt": in_a(hours=1)} | changed


def wish(asset, **changed):
    """What sven asks for."""
    asked = {"assetId": asset["id"], "operation": "read", "purpose": PURPOSE, "ticket": TICKET}
    return asked | changed


async def uploaded(portal, path, data=PHOTO):
    """The asset that a file becomes."""
    await portal.upload(path, data)
    assets = await eventually(
        portal.assets, lambda assets: any(asset["path"] == path for asset in assets)
    )
    return next(asset for asset in assets if asset["path"] == path)


async def granted(portal, **changed):
    """A grant that a DAM manager gives over HTTP."""
    answer = await portal.mine("POST", "consent-grants", body=terms(**changed))
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].endswith(answer.json()["id"])
    return answer.json()


async def refused(portal, reason, body, **given):
    """Try an access that has to be refused for this reason."""
    answer = await portal.mine("POST", "accesses", who="sven", body=body, **given)
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "urn:vouchsafe:problem:access-denied"
    assert f": {reason}." in answer.json()["detail"]


async def attempts(portal):
    """The attempts that the log has, oldest first: who, what, why, and how it went."""
    fields = ("resource", "purpose", "ticket", "grantId", "outcome", "reason")
    return [
        (entry["actor"]["id"], *(entry[field] for field in fields))
        for entry in reversed(await portal.log())
        if entry["action"] == "asset.read"
    ]


async def test_an_engineer_is_let_in_by_consent_alone_and_each_attempt_is_told(stack):
    started = datetime.now(UTC) - timedelta(milliseconds=1)
    async with Portal(stack, "consent-http") as portal:
        asset = await uploaded(portal, "shoot/cat.jpg")
        elsewhere = await uploaded(portal, "shooting/cat.jpg", PHOTO + b"2")
        svea = await portal.token("svea", "vendor.support", None)
        mia = await portal.token("mia", "tenant.dam_manager", portal.tenant)

        await refused(portal, "no-consent-grant", wish(asset))
        grant = await granted(portal)
        assert (grant["status"], grant["grantedBy"]["id"]) == ("active", "mia")
        given = await portal.mine(
            "POST",
            "accesses",
            who="sven",
            body=wish(asset),
            headers={"X-Forwarded-For": "203.0.113.7"},
        )
        assert given.status_code == 200, given.text
        assert given.content == PHOTO
        assert given.headers["Content-Type"] == "image/jpeg"
        assert given.headers["Vouchsafe-Consent-Grant"] == grant["id"]

        as_svea, as_mia = ({"Authorization": f"Bearer {token}"} for token in (svea, mia))
        await refused(portal, "no-consent-grant", wish(asset), headers=as_svea)
        await refused(portal, "role-missing", wish(asset), headers=as_mia)
        await refused(portal, "purpose-differs", wish(asset, purpose="curiosity"))
        await refused(portal, "ticket-differs", wish(asset, ticket="T-4712"))
        await refused(portal, "path-not-covered", wish(elsewhere))
        await refused(portal, "path-not-covered", wish(asset, assetId="none"))

        revocation = f"consent-grants/{grant['id']}/revocation"
        for _ in range(2):
            revoked = await portal.mine("PUT", revocation, who="noor")
            assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
            assert revoked.json()["revokedBy"]["id"] == "noor"
        await refused(portal, "consent-grant-revoked", wish(asset))

        one, two, none = f"assets/{asset['id']}", f"assets/{elsewhere['id']}", "assets/none"
        assert await attempts(portal) == [
            ("sven", one, PURPOSE, TICKET, None, "denied", "no-consent-grant"),
            ("sven", one, PURPOSE, TICKET, grant["id"], "allowed", None),
            ("svea", one, PURPOSE, TICKET, None, "denied", "no-consent-grant"),
            ("mia", one, PURPOSE, TICKET, None, "denied", "role-missing"),
            ("sven", one, "curiosity", TICKET, None, "denied", "purpose-differs"),
            ("sven", one, PURPOSE, "T-4712", None, "denied", "ticket-differs"),
            ("sven", two, PURPOSE, TICKET, None, "denied", "path-not-covered"),
            ("sven", none, PURPOSE, TICKET, None, "denied", "path-not-covered"),
            ("sven", one, PURPOSE, TICKET, None, "denied", "consent-grant-revoked"),
        ]
        log = await eventually(
            portal.log,
            lambda log: {"consent.granted", "consent.revoked"} <= {e["action"] for e in log},
        )
        [let_in] = [entry for entry in log if entry["id"] == given.headers["Vouchsafe-Log-Entry"]]
        assert let_in["actor"]["role"] == "vendor.support"
        # What the client itself claims is not taken for its address.
        assert let_in["clientAddress"] == "127.0.0.1"
        assert started <= datetime.fromisoformat(let_in["time"]) <= datetime.now(UTC)
        changes = [entry for entry in log if entry["action"].startswith("consent.")]
        assert [(e["action"], e["actor"]["id"], e["grantId"]) for e in reversed(changes)] == [
            ("consent.granted", "mia", grant["id"]),
            ("consent.revoked", "noor", grant["id"]),
            ("consent.viewed", "noor", None),
        ]


@pytest.mark.parametrize("place", ["purpose", "ticket"])
async def test_no_grant_and_no_access_names_a_person(stack, place):
    async with Portal(stack, f"consent-names-{place}") as portal:
        asset = await uploaded(portal, "shoot/cat.jpg")
        named = {place: "for zoe@acme.example"}
        answer = await portal.mine("POST", "consent-grants", body=terms(**named))
        assert answer.status_code == 422
        assert answer.json()["type"].endswith(":log-entry-names-person")
        assert place in answer.json()["detail"]
        assert (await portal.mine("GET", "consent-grants")).json()["consentGrants"] == []
        grant = await granted(portal)
        body = wish(asset, **named)
        answer = await portal.mine("POST", "accesses", who="sven", body=body)
        assert answer.status_code == 422
        assert answer.json()["type"].endswith(":log-entry-names-person")
        (entry,) = [one for one in await portal.log() if one["action"] == "asset.read"]
        assert (entry["outcome"], entry["reason"]) == ("denied", "person-named")
        assert (entry[place], entry["grantId"]) == (None, None)
        # What is granted already is revoked whatever the grant says.
        revocation = f"consent-grants/{grant['id']}/revocation"
        assert (await portal.mine("PUT", revocation)).status_code == 200
        assert "zoe" not in json.dumps(await portal.log())


async def test_a_large_asset_comes_by_a_link_that_reads_it_alone(stack):
    data = random.Random(1).randbytes(4 * 1024 * 1024 + 1)
    async with Portal(stack, "consent-link") as portal:
        asset = await uploaded(portal, "shoot/Zoë's film.bin", data)
        await granted(portal)
        answer = await portal.mine("POST", "accesses", who="sven", body=wish(asset))
        assert answer.status_code == 303, answer.text
        link = answer.headers["Location"]
        async with httpx.AsyncClient(trust_env=False) as browser:
            got = await browser.get(link)
            assert got.content == data
            assert "Zo%C3%AB" in got.headers["Content-Disposition"]
            assert (await browser.delete(link)).status_code == 403
            other = urlsplit(link)._replace(path=urlsplit(link).path + "2").geturl()
            assert (await browser.get(other)).status_code == 403


async def test_a_grant_that_has_run_out_lets_nobody_in(stack):
    async with Portal(stack, "consent-expiry") as portal:
        asset = await uploaded(portal, "shoot/cat.jpg")
        grant = await granted(portal, expiresAt=in_a(seconds=2))

        async def status():
            return (await portal.mine("GET", f"consent-grants/{grant['id']}")).json()["status"]

        await eventually(status, lambda status: status == "expired")
        await refused(portal, "consent-grant-expired", wish(asset))
        [attempt] = await attempts(portal)
        assert attempt[-2:] == ("denied", "consent-grant-expired")


async def test_a_quarantined_asset_is_handed_to_nobody(stack):
    async with Portal(stack, "consent-quarantine") as portal:
        asset = await uploaded(portal, "shoot/empty.jpg", b"")
        await granted(portal)
        await refused(portal, "asset-quarantined", wish(asset))


def event(kind, data, identifier=None):
    """A CloudEvent as another service writes it."""
    return {
        "specversion": "1.0",
        "id": identifier or new_id(datetime.now(UTC)),
        "source": "/portal",
        "type": kind,
        "time": in_a(),
        "data": data,
    }


GRANTED, REVOKED = "vouchsafe.consent.granted.v1", "vouchsafe.consent.revoked.v1"


def granting(tenant, grant, **changed):
    return event(
        GRANTED, {"grantId": grant, "tenant": tenant, "grantedBy": MIA, **terms(**changed)}
    )


def revoking(tenant, grant):
    return event(REVOKED, {"grantId": grant, "tenant": tenant, "revokedBy": MIA})


async def send(bus, queue, body, session=None):
    """Put one message on a queue; returns its id."""
    identifier = new_id(datetime.now(UTC))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = ServiceBusMessage(
        data,
        message_id=identifier,
        session_id=session,
        content_type="application/cloudevents+json",
        application_properties={"trace": "t-1"},
    )
    async with bus.get_queue_sender(queue) as sender:
        await sender.send_messages(message)
    return identifier


async def test_people_of_another_tenant_write_nothing_into_a_log(stack):
    async with Portal(stack, "consent-mine") as mine, Portal(stack, "consent-other") as other:
        before = await mine.log()
        for who in ("mia", "ada"):
            for body in (wish({"id": "x"}, purpose="whatever I like"), {}, None):
                path = f"tenants/{mine.tenant}/accesses"
                answer = await other.call("POST", path, who=who, body=body)
                nobodys = await other.call("POST", "tenants/nobody/accesses", who=who, body=body)
                assert answer.status_code == nobodys.status_code == 404
                assert answer.content == nobodys.content
        assert await mine.log() == before


async def test_grants_come_by_message_as_well(stack, bus):
    async with Portal(stack, "consent-queue") as portal:
        asset = await uploaded(portal, "shoot/cat.jpg")
        message = granting("consent-queue", "g-1")

        async def status():
            answer = await portal.mine("GET", "consent-grants/g-1")
            return answer.json().get("status", answer.status_code)

        assert await status() == 404
        for _ in range(2):
            await send(bus, CONSENT_GRANTS_QUEUE.name, message, "consent-queue")
        await eventually(status, lambda status: status == "active")
        given = await portal.mine("POST", "accesses", who="sven", body=wish(asset))
        assert given.status_code == 200, given.text
        assert (given.content, given.headers["Vouchsafe-Consent-Grant"]) == (PHOTO, "g-1")
        await send(
            bus, CONSENT_GRANTS_QUEUE.name, revoking("consent-queue", "g-1"), "consent-queue"
        )
        await eventually(status, lambda status: status == "revoked")
        await refused(portal, "consent-grant-revoked", wish(asset))
        # A late copy of the grant does not bring it back to life.
        await send(bus, CONSENT_GRANTS_QUEUE.name, message, "consent-queue")
        await send(
            bus, CONSENT_GRANTS_QUEUE.name, revoking("consent-queue", "g-2"), "consent-queue"
        )
        log = await eventually(portal.log, lambda log: "g-2" in {e["grantId"] for e in log})
        await refused(portal, "consent-grant-revoked", wish(asset))
        of_grant = [entry["action"] for entry in reversed(log) if entry["grantId"] == "g-1"]
        assert of_grant == ["consent.granted", "asset.read", "consent.revoked"]


async def test_a_revocation_that_overtakes_its_grant_holds(stack, bus):
    async with Portal(stack, "consent-overtaken") as portal:
        asset = await uploaded(portal, "shoot/cat.jpg")
        await send(bus, CONSENT_GRANTS_QUEUE.name, revoking(portal.tenant, "g-1"), portal.tenant)
        await send(bus, CONSENT_GRANTS_QUEUE.name, granting(portal.tenant, "g-1"), portal.tenant)

        async def grant():
            return (await portal.mine("GET", "consent-grants/g-1")).json()

        seen = await eventually(grant, lambda grant: grant.get("engineer") == "sven")
        assert seen["status"] == "revoked"
        await refused(portal, "consent-grant-revoked", wish(asset))


TENANT = "consent-parked"
GOOD = {"grantId": "g-9", "tenant": TENANT, "grantedBy": MIA}
NAMED = "zoe@acme.example"
LATER = "2100-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("queue", "session", "body", "reason"),
    [
        ("consent-grants", TENANT, b"{not json", "message-invalid"),
        ("consent-grants", TENANT, b"", "message-invalid"),
        ("consent-grants", TENANT, b"\xff\xfe", "message-invalid"),
        ("consent-grants", TENANT, {"type": GRANTED}, "message-invalid"),
        ("consent-grants", TENANT, event("vouchsafe.consent.lent.v1", {}), "message-type-unknown"),
        ("consent-grants", TENANT, event(GRANTED, GOOD), "message-data-invalid"),
        (
            "consent-grants",
            TENANT,
            event("vouchsafe.erasure.approved.v1", {"tenant": TENANT, "requestId": "r"}),
            "message-type-misdirected",
        ),
        ("consent-grants", "another", granting(TENANT, "g-9"), "session-differs"),
        ("consent-grants", "nobody-here", granting("nobody-here", "g-9"), "tenant-not-found"),
        (
            "consent-grants",
            TENANT,
            granting(TENANT, "g-9", expiresAt="2020-01-01T00:00:00Z"),
            "consent-grant-expired",
        ),
        (
            "consent-grants",
            TENANT,
            granting(TENANT, "g-9", purpose="for zoe@acme.example"),
            "log-entry-names-person",
        ),
        ("consent-grants", TENANT, granting(TENANT, NAMED), "message-data-invalid"),
        ("consent-grants", TENANT, revoking(TENANT, NAMED), "message-data-invalid"),
        (
            "consent-grants",
            TENANT,
            granting(TENANT, "taken", ticket="T-2"),
            "consent-grant-exists",
        ),
        (
            "erasure-requests",
            "another",
            event("vouchsafe.erasure.approved.v1", {"tenant": TENANT, "requestId": "r"}),
            "session-differs",
        ),
        (
            "erasure-requests",
            TENANT,
            event("vouchsafe.erasure.approved.v1", {"tenant": TENANT, "requestId": "r"}),
            "erasure-request-not-found",
        ),
        (
            "erasure-batches",
            None,
            event(
                "vouchsafe.erasure.batch-ready.v1",
                {"tenant": TENANT, "requestId": "r", "batch": 0},
            ),
            "erasure-request-not-found",
        ),
        ("access-events", None, b"[]", "message-invalid"),
        ("intake", None, b"null", "message-invalid"),
    ],
)
async def test_a_message_that_cannot_succeed_is_parked_with_its_reason(
    stack, bus, queue, session, body, reason
):
    async with Portal(stack, TENANT) as portal:
        if reason == "consent-grant-exists":
            first = granting(TENANT, "taken", expiresAt=LATER)
            await send(bus, CONSENT_GRANTS_QUEUE.name, first, TENANT)
        identifier = await send(bus, queue, body, session)

        async def parked():
            found = []
            for message in await peeked(bus, PARKED_MESSAGES_QUEUE.name):
                properties = {
                    name.decode(): value.decode() if isinstance(value, bytes) else value
                    for name, value in (message.application_properties or {}).items()
                }
                if properties["parked-message-id"] == identifier:
                    found.append((message, properties))
            return found

        [(message, properties)] = await eventually(parked, bool)
        assert properties["parked-reason"] == reason
        assert properties["parked-queue"] == queue
        assert properties["parked-session-id"] == (session or "")
        assert properties["parked-detail"]
        assert properties["parked-remedy"]
        assert properties["trace"] == "t-1"
        given = body if isinstance(body, bytes) else json.dumps(body).encode()
        assert b"".join(message.body) == given
        assert message.content_type == "application/cloudevents+json"
        kept = await portal.listed("consent-grants", "consentGrants")
        assert {grant["id"] for grant in kept} <= {"taken"}
