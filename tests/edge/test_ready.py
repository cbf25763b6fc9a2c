"""Readiness while the services that the app stands on die and come back."""

import asyncio

import httpx
import pytest
from azure.keyvault.secrets import SecretClient

from infra.local.stack import Stack
from tests.journeys.portal import eventually
from tests.local.keyvault.clients import Principal

# What each process of the stack is called in the answer.
SERVICES = {
    "azurite": "storage",
    "servicebus": "bus",
    "keyvault": "vault",
    "datakeys": "data-key-vault",
}


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A stack that these tests may kill parts of."""
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True) as started:
        yield started


@pytest.mark.parametrize("process", SERVICES)
async def test_readiness_names_the_service_that_died(own_stack, process):
    app = own_stack.info["endpoints"]["app"]
    async with httpx.AsyncClient(base_url=app, timeout=30, trust_env=False) as http:

        async def ready():
            return await http.get("/api/health/ready")

        await eventually(ready, lambda answer: answer.status_code == 200)
        await asyncio.to_thread(own_stack.kill, process)
        # An answer serves every request of some seconds.
        answer = await eventually(ready, lambda answer: answer.status_code == 503)
        assert answer.json()["status"] == "unavailable"
        reachable = {name: c["reachable"] for name, c in answer.json()["checks"].items()}
        assert reachable == {name: name != SERVICES[process] for name in SERVICES.values()}
        assert (await http.get("/api/health")).status_code == 200
        await asyncio.to_thread(own_stack.start_process, process)
        await eventually(ready, lambda answer: answer.status_code == 200)


async def test_a_flood_of_requests_is_one_question(own_stack):
    """All at once, without a token: the services are asked once, and are as well as before."""
    app = own_stack.info["endpoints"]["app"]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=app, timeout=60, trust_env=False, limits=limits) as http:
        await eventually(
            lambda: http.get("/api/health/ready"), lambda answer: answer.status_code == 200
        )
        answers = await asyncio.gather(*(http.get("/api/health/ready") for _ in range(150)))
    assert {answer.status_code for answer in answers} == {200}
    rounds = {answer.text for answer in answers}
    # Each round of questions has latencies of its own.
    assert len(rounds) < 10


@pytest.mark.parametrize("secret", ["log-event-hmac", "log-signing-key"])
async def test_a_disabled_secret_is_a_vault_that_the_app_cannot_use(own_stack, secret):
    app = own_stack.info["endpoints"]["app"]
    url, authority = own_stack.settings["KEY_VAULT_URL"], str(own_stack.authority)
    principal = Principal(own_stack, "secrets-officer")
    with SecretClient(url, principal, connection_verify=authority) as officer:

        def enable(*, enabled):
            for version in [*officer.list_properties_of_secret_versions(secret)]:
                officer.update_secret_properties(secret, version.version, enabled=enabled)

        async with httpx.AsyncClient(base_url=app, timeout=30, trust_env=False) as http:

            async def ready():
                return await http.get("/api/health/ready")

            await eventually(ready, lambda answer: answer.status_code == 200)
            await asyncio.to_thread(enable, enabled=False)
            answer = await eventually(ready, lambda answer: answer.status_code == 503)
            reachable = {name: c["reachable"] for name, c in answer.json()["checks"].items()}
            assert reachable == {name: name != "vault" for name in SERVICES.values()}
            assert secret not in answer.text
            await asyncio.to_thread(enable, enabled=True)
            await eventually(ready, lambda answer: answer.status_code == 200)
