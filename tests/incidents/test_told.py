"""The staff of the vendor hear of an incident by mail, and of a drill nobody hears."""

import uuid

import httpx
import pytest

from tests.incidents.desks import Desk
from tests.incidents.test_records import reported
from tests.journeys.portal import eventually

ROLES = ("vendor.it_supervisor", "vendor.officer", "vendor.dpo")


@pytest.fixture
def desk(http, token):
    return Desk(http, token(roles="vendor.it_supervisor", oid="sam"))


async def test_an_incident_goes_by_mail_to_the_roles_of_the_step_and_a_drill_to_nobody(
    stack, desk, kind
):
    names = {role: f"{role.replace('.', '-')}-{uuid.uuid4().hex[:8]}@example.org" for role in ROLES}
    added = []
    for role, address in names.items():
        answer = await desk.post("staff-contacts", {"address": address, "roles": [role]})
        assert answer.status_code == 201, answer.text
        added.append(answer)

    async def mails(role):
        url = f"{stack.info['endpoints']['mailbox']}/mails"
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(url, params={"to": names[role]})).json()

    await reported(desk, kind, isDrill=True, summary="A drill.")
    await reported(desk, kind, summary="Something broke.")
    for role in ("vendor.it_supervisor", "vendor.officer"):
        found = await eventually(lambda role=role: mails(role), bool)
        assert "A drill." not in str(found)
    # At once, the data protection officer is not told.
    assert not await mails("vendor.dpo")
    for answer in added:
        path = answer.headers["Location"].removeprefix("/api/")
        await desk.ask("DELETE", path, etag=answer.headers["ETag"])
