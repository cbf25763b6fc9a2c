"""A host process from start to end.

Work in flight may finish: "Scale in behaviors", "Event-driven scaling in Azure Functions"
(learn.microsoft.com).
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest

from tests.local.host.harness import APPS, ROOT, Host, eventually


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_request_in_flight_is_answered_before_the_end(
    new_host: Callable[..., Host], number: signal.Signals
) -> None:
    host = new_host("http")
    await host.start()
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as client:
        asked = asyncio.create_task(client.get("/api/gate"))
        await eventually(lambda: host.records)
        host.signal(number)
        await eventually(lambda: refuses(host))
        assert host.exit_code is None
        host.gate.touch()
        answer = await asked
    assert (answer.status_code, answer.json()) == (200, {"done": True})
    assert await host.wait() == 0


async def test_the_grace_period_ends(new_host: Callable[..., Host]) -> None:
    host = new_host("http")
    await host.start("--grace", "0.5")
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as client:
        asked = asyncio.create_task(client.get("/api/gate"))
        await eventually(lambda: host.records)
        assert await host.stop() == 0
        assert [record["name"] for record in host.records] == ["waiting"]
        with pytest.raises(httpx.HTTPError):
            (await asked).raise_for_status()
    assert "gave up on invocations still running" in host.log


async def test_a_disabled_function_is_there_but_not_triggered(
    new_host: Callable[..., Host], storage: str
) -> None:
    """ "How to disable functions in Azure Functions" (learn.microsoft.com)."""
    off = {
        "AzureWebJobs.text.Disabled": "true",
        "AzureWebJobs.every_second.Disabled": "true",
        "AzureWebJobs.at_startup.Disabled": "1",
    }
    host = new_host("http", **off)
    await host.start()
    async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
        assert (await client.get("/api/text")).status_code == 404
        assert (await client.get("/api/cookies")).status_code == 204
        listed = (await client.get("/admin/functions")).json()
        assert [one["name"] for one in listed if one["isDisabled"]] == ["text"]
    assert await host.stop() == 0

    timed = new_host(
        "timers",
        AzureWebJobsStorage=storage,
        AzureFunctionsWebHost__hostid="disabled",
        YEARLY="0 0 0 1 1 *",
        HELD="* * * * * *",
        **off,
    )
    timed.gate.touch()
    await timed.start()
    # An enabled timer shows that time has passed.
    await eventually(lambda: [run["name"] for run in timed.records].count("held") >= 3)
    assert {run["name"] for run in timed.records} == {"held", "held done"}
    async with httpx.AsyncClient(base_url=timed.url, trust_env=False) as client:
        # A run by hand still works.
        fired = await client.post("/admin/functions/every_second", json={"input": ""})
        assert fired.status_code == 202
    await eventually(lambda: "every_second" in {run["name"] for run in timed.records})
    assert await timed.stop() == 0


async def test_a_function_that_takes_too_long_is_cancelled(new_host: Callable[..., Host]) -> None:
    """functionTimeout: "host.json reference for Azure Functions" (learn.microsoft.com)."""
    host = new_host("http", AzureFunctionsJobHost__functionTimeout="00:00:01")
    await host.start()
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as client:
        answer = await client.get("/api/gate")
        assert (answer.status_code, answer.content) == (500, b"")
        assert (await client.get("/api/text")).text == "plain"
    assert "ran longer than functionTimeout and was cancelled" in host.log
    assert [record["name"] for record in host.records] == ["waiting"]
    assert await host.stop() == 0


async def test_it_can_start_again_at_once_on_its_port(new_host: Callable[..., Host]) -> None:
    host = new_host("http")
    for _ in range(2):
        await host.start()
        async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
            assert (await client.get("/api/text")).text == "plain"
            await host.kill()


def test_a_cold_start_can_be_measured() -> None:
    measured = subprocess.run(
        [sys.executable, "-m", "infra.local.host.coldstart", "--app", str(APPS / "http")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert float(measured.stdout) > 0


def refuses(host: Host) -> bool:
    try:
        httpx.get(f"{host.url}/admin/host/status", trust_env=False)
    except httpx.ConnectError:
        return True
    except httpx.RemoteProtocolError:
        # The kernel had taken the connection before the host stopped to listen.
        return False
    return False
