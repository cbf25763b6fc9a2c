"""Tenants over HTTP, and what a stamp does with those that it may not keep."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from shared.catalogue import (
    ACCESS_EVENTS_QUEUE,
    ACCESS_LOG_TABLE,
    CONSENT_GRANTS_QUEUE,
    ERASURE_BATCHES_QUEUE,
    ERASURE_REQUESTS_QUEUE,
    PARKED_MESSAGES_QUEUE,
    QUEUES,
)
from tests.compositions import OneSecret, composed, registered
from tests.journeys.logs import tamper
from tests.journeys.portal import Portal, eventually
from tests.queues import peeked

PHOTO = {"path": "a.jpg", "size": 1, "mediaType": "image/jpeg"}


def fresh(word):
    return f"{word}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def service(token):
    return {"Authorization": f"Bearer {token(roles='vendor.service', oid='the-portal')}"}


@pytest.fixture
def register(http, service):
    async def post(identifier, **more):
        body = {"id": identifier, "displayName": "A tenant", "residencyZone": "eu"} | more
        return await http.post("/api/tenants", json=body, headers=service)

    return post


async def everyone(http, service):
    """The tenants of the stamp, from pages of two tenants."""
    seen, params = [], {"limit": "2"}
    while params:
        page = await http.get("/api/tenants", params=params, headers=service)
        assert page.status_code == 200, page.text
        assert len(page.json()["tenants"]) <= 2
        seen += page.json()["tenants"]
        continuation = page.json()["continuation"]
        params = {"limit": "2", "continuation": continuation} if continuation else None
    return seen


async def test_every_tenant_is_in_the_list_page_by_page(http, service, register):
    made = sorted(fresh("listed") for _ in range(5))
    for identifier in made:
        answer = await register(identifier, contacts=["dpo@a.example"])
        assert answer.status_code == 201, answer.text
    seen = await everyone(http, service)
    identifiers = [tenant["id"] for tenant in seen]
    assert identifiers == sorted(identifiers)
    assert [i for i in identifiers if i in made] == made
    assert all(t["contacts"] == ["dpo@a.example"] for t in seen if t["id"] in made)


async def test_each_listed_tenant_has_the_listing_in_its_log(stack, http, service):
    async with Portal(stack, fresh("seen")) as portal, Portal(stack, fresh("seen")) as second:
        for _ in range(2):
            listed = await everyone(http, service)
            assert {portal.tenant, second.tenant} <= {tenant["id"] for tenant in listed}
        for one in (portal, second):
            log = await eventually(one.log, lambda log: len(log) >= 3)
            assert [(e["action"], e["resource"], e["actor"]["id"]) for e in log] == [
                *[("tenant.listed", f"tenants/{one.tenant}", "the-portal")] * 2,
                ("tenant.registered", f"tenants/{one.tenant}", "service"),
            ]


async def test_a_tenant_whose_log_takes_no_entries_is_listed_by_id_alone(
    stack, tables, http, service, misplaced
):
    async with Portal(stack, fresh("damaged")) as portal:
        await eventually(portal.log, bool)
        await tamper(tables.get_table_client(ACCESS_LOG_TABLE.name), portal.tenant, "cut", 0)
        page = await http.get("/api/tenants", params={"limit": "1000"}, headers=service)
        assert page.status_code == 200, page.text
        assert {portal.tenant, misplaced} <= set(page.json()["withheld"])
        assert not {portal.tenant, misplaced} & {one["id"] for one in page.json()["tenants"]}


async def test_a_tenant_whose_log_lacks_its_key_is_listed_by_id_alone(stack, http, service):
    """The log of the tenant was begun under a key that the app's vault does not have."""
    async with composed(stack.settings, OneSecret()) as other:
        tenant = await registered(other, fresh("keyless"))
    page = await http.get("/api/tenants", params={"limit": "1000"}, headers=service)
    assert page.status_code == 200, page.text
    assert tenant in page.json()["withheld"]
    assert tenant not in {one["id"] for one in page.json()["tenants"]}


async def test_a_repeated_registration_shows_the_tenant_and_that_is_an_entry(
    stack, http, service, register
):
    async with Portal(stack, fresh("again")) as portal:
        again = await register(portal.tenant)
        assert again.status_code == 201, again.text
        assert again.headers["Location"] == f"/api/tenants/{portal.tenant}"
        taken = await register(portal.tenant, displayName="Another")
        assert taken.status_code == 409
        log = await eventually(portal.log, lambda log: len(log) >= 2)
        assert [(e["action"], e["resource"], e["actor"]["id"]) for e in log] == [
            ("tenant.viewed", f"tenants/{portal.tenant}", "the-portal"),
            ("tenant.registered", f"tenants/{portal.tenant}", "service"),
        ]


async def test_only_the_vendor_lists_tenants(http, token):
    for role, tenant in (("tenant.admin", "acme"), ("vendor.support", None)):
        headers = {"Authorization": f"Bearer {token(roles=role, tenant=tenant)}"}
        answer = await http.get("/api/tenants", headers=headers)
        assert answer.status_code == 403


async def test_a_leaving_tenant_uploads_no_more_and_its_log_says_since_when(stack, http, service):
    async with Portal(stack, fresh("leaving")) as portal:
        path = f"/api/tenants/{portal.tenant}"
        seen = await http.get(path, headers=service)
        unseen = await http.patch(path, json={"status": "leaving"}, headers=service)
        assert unseen.status_code == 428
        match = service | {"If-Match": seen.headers["ETag"]}
        left = await http.patch(path, json={"status": "leaving"}, headers=match)
        assert left.status_code == 200, left.text
        assert left.json()["status"] == "leaving"
        late = await http.patch(path, json={"displayName": "B"}, headers=match)
        assert late.status_code == 412
        back = service | {"If-Match": left.headers["ETag"]}
        answer = await http.patch(path, json={"status": "active"}, headers=back)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
            409,
            "tenant-status-final",
        )
        unchanged = await http.patch(path, json={"status": "leaving"}, headers=back)
        assert unchanged.headers["ETag"] == left.headers["ETag"]
        refused = await portal.mine("POST", "uploads", body=PHOTO)
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (
            409,
            "tenant-not-active",
        )
        log = await eventually(portal.log, lambda log: len(log) >= 4)
        assert [(e["action"], e["actor"]["id"]) for e in log] == [
            # The change that changed nothing has only shown the tenant.
            ("tenant.viewed", "the-portal"),
            ("tenant.leaving", "the-portal"),
            ("tenant.viewed", "the-portal"),
            ("tenant.registered", "service"),
        ]


@pytest.fixture
async def misplaced(register, tables):
    """A tenant whose row says a zone that this stamp does not serve, as after a wrong restore."""
    identifier = fresh("misplaced")
    assert (await register(identifier)).status_code == 201
    table = tables.get_table_client("tenants")
    entity = await table.get_entity("westeurope", identifier)
    await table.upsert_entity({**entity, "residencyZone": "us"})
    return identifier


async def test_no_request_is_served_for_a_tenant_of_another_zone(http, service, token, misplaced):
    mia = {"Authorization": f"Bearer {token(roles='tenant.dam_manager', tenant=misplaced)}"}
    path = f"/api/tenants/{misplaced}"
    for answer in (
        await http.get(path, headers=service),
        await http.post(f"{path}/uploads", json=PHOTO, headers=mia),
        await http.get(f"{path}/assets", headers=mia),
    ):
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:vouchsafe:problem:residency-zone-not-served"


@pytest.mark.parametrize(
    ("queue", "kind", "data"),
    [
        (
            ACCESS_EVENTS_QUEUE.name,
            "vouchsafe.access.recorded.v1",
            {
                "actor": {"id": "a", "role": "vendor.service", "organisation": "vendor"},
                "action": "a.b",
                "resource": "a",
                "outcome": "allowed",
            },
        ),
        (ERASURE_REQUESTS_QUEUE.name, "vouchsafe.erasure.approved.v1", {"requestId": "r"}),
        (
            ERASURE_BATCHES_QUEUE.name,
            "vouchsafe.erasure.batch-ready.v1",
            {"requestId": "r", "batch": 0},
        ),
        (
            CONSENT_GRANTS_QUEUE.name,
            "vouchsafe.consent.revoked.v1",
            {
                "grantId": "g",
                "revokedBy": {"id": "a", "role": "tenant.admin", "organisation": "t"},
            },
        ),
    ],
)
async def test_no_message_is_taken_for_a_tenant_of_another_zone(bus, misplaced, queue, kind, data):
    identifier = str(uuid.uuid4())
    event = {
        "specversion": "1.0",
        "id": identifier,
        "source": "/test",
        "type": kind,
        "time": datetime.now(UTC).isoformat(),
        "data": {"tenant": misplaced, **data},
    }
    session = misplaced if queue in {queue.name for queue in QUEUES if queue.sessions} else None
    async with bus.get_queue_sender(queue) as sender:
        await sender.send_messages(
            ServiceBusMessage(json.dumps(event), message_id=identifier, session_id=session)
        )

    async def reasons():
        return [
            m.application_properties[b"parked-reason"].decode()
            for m in await peeked(bus, PARKED_MESSAGES_QUEUE.name)
            if m.application_properties[b"parked-message-id"] == identifier.encode()
        ]

    assert await eventually(reasons, bool) == ["residency-zone-not-served"]
