"""Readiness while the services that the app stands on die and come back."""

import asyncio

import httpx
import pytest

from infra.local.stack import Stack
from tests.journeys.portal import eventually

# What each process of the stack is called in the answer.
SERVICES = {"azurite": "storage", "servicebus": "bus", "keyvault": "vault"}


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

        assert (await ready()).status_code == 200
        await asyncio.to_thread(own_stack.kill, process)
        answer = await ready()
        assert answer.status_code == 503
        assert answer.json()["status"] == "unavailable"
        reachable = {name: c["reachable"] for name, c in answer.json()["checks"].items()}
        assert reachable == {name: name != SERVICES[process] for name in SERVICES.values()}
        assert (await http.get("/api/health")).status_code == 200
        await asyncio.to_thread(own_stack.start_process, process)
        await eventually(ready, lambda answer: answer.status_code == 200)
