"""Limits per caller: 429 with Retry-After, for one caller and nobody else."""

import httpx
import pytest

from infra.local.stack import Stack
from tests.journeys.portal import Portal

BURST = 20
SETTINGS = {"REQUESTS_PER_SECOND": "1", "REQUEST_BURST": str(BURST)}


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A stack that takes few requests of each caller."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True, settings=SETTINGS) as started:
        yield started


def check(answer):
    assert answer.status_code == 429, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:vouchsafe:problem:too-many-requests"
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_caller_who_asks_too_often_waits_and_nobody_else(own_stack):
    async with Portal(own_stack, "limits") as portal:
        path = f"tenants/{portal.tenant}"
        answers = [await portal.call("GET", path) for _ in range(3 * BURST)]
        assert [answer.status_code for answer in answers[:BURST]] == [200] * BURST
        check(next(answer for answer in answers if answer.status_code != 200))
        # The same for another tenant and for none: the limit tells of no tenant.
        for other in ("tenants/globex", "tenants/nobody-here"):
            check(await portal.call("GET", other))
        assert (await portal.call("GET", path, who="ada")).status_code == 200


async def test_an_address_without_a_token_waits_and_who_has_a_token_does_not(own_stack):
    app = own_stack.info["endpoints"]["app"]
    async with httpx.AsyncClient(base_url=f"{app}/api/", trust_env=False, timeout=60) as http:
        answers = [await http.get("tenants") for _ in range(3 * BURST)]
        assert [answer.status_code for answer in answers[:BURST]] == [401] * BURST
        check(next(answer for answer in answers if answer.status_code != 401))
        check(await http.get("keys"))
        # Whoever watches the app is never turned away.
        for _ in range(3 * BURST):
            assert (await http.get("health")).status_code == 200
            assert (await http.get("health/ready")).status_code == 200
    async with Portal(own_stack, "limits-token") as portal:
        assert (await portal.call("GET", f"tenants/{portal.tenant}")).status_code == 200
