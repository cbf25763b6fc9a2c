"""A host process from start to end."""

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
    return False
