"""Timers: their schedules, and functions fired by a real host process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.storage.blob import ContainerClient

from infra.local.host.refusals import RefusedError
from infra.local.host.timers import Schedule
from tests.local.host.harness import Host, eventually

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("expression", "following"),
    [
        ("0 0 6 * * *", datetime(2026, 6, 16, 6, 0, tzinfo=UTC)),
        ("0 6 * * *", datetime(2026, 6, 16, 6, 0, tzinfo=UTC)),
        ("*/5 * * * * *", NOON + timedelta(seconds=5)),
        ("30 1-3,7 * * * *", NOON + timedelta(minutes=1, seconds=30)),
        ("0 0 0 1 Jan *", datetime(2027, 1, 1, tzinfo=UTC)),
        ("0 0 0 * * Sun", datetime(2026, 6, 21, tzinfo=UTC)),
        # Both the day of the month and the day of the week must fit.
        ("0 0 0 13 * 5", datetime(2026, 11, 13, tzinfo=UTC)),
    ],
)
def test_a_schedule_says_when_it_fires_next(expression: str, following: datetime) -> None:
    assert Schedule(expression).after(NOON) == following


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * * *", "60 * * * * *", "00:05:00", "@daily", "0 0 0 ? * 1#2"],
)
def test_what_is_no_ncrontab_is_refused(expression: str) -> None:
    with pytest.raises(RefusedError):
        Schedule(expression)


@pytest.fixture
def timed(new_host: Callable[..., Host], storage: str) -> Host:
    host = new_host("timers", AzureWebJobsStorage=storage, YEARLY="0 0 0 1 1 *")
    host.settings["AzureFunctionsWebHost__hostid"] = f"host{host.port}"
    return host


def status(storage: str, host: Host, function: str) -> str:
    name = host.settings["AzureFunctionsWebHost__hostid"]
    return f"timers/{name}/Host.Functions.{function}/status"


def ran(host: Host, name: str) -> list[dict[str, object]]:
    return [record for record in host.records if record["name"] == name]


async def test_a_timer_fires_on_its_schedule_and_at_startup(timed: Host) -> None:
    await timed.start()
    await eventually(lambda: len(ran(timed, "every_second")) >= 3)
    assert await timed.stop() == 0
    assert len(ran(timed, "at_startup")) == 1
    assert not ran(timed, "daily")
    assert not any(record["past_due"] for record in timed.records)


async def test_a_timer_can_be_fired_by_hand(timed: Host) -> None:
    await timed.start()
    async with httpx.AsyncClient(base_url=timed.url, trust_env=False) as client:
        for name in ("daily", "UNMONITORED"):
            answer = await client.post(f"/admin/functions/{name}", json={"input": ""})
            assert (answer.status_code, answer.content) == (202, b"")
        await eventually(lambda: ran(timed, "daily") and ran(timed, "unmonitored"))
        assert (await client.post("/admin/functions/nobody", json={})).status_code == 404
        assert (await client.post("/admin/functions/daily", content=b"{}")).status_code == 415
        answer = await client.post("/admin/functions/daily", json=["no object"])
        assert answer.status_code == 400
    assert await timed.stop() == 0


async def test_a_missed_run_is_made_up_for_once(timed: Host, storage: str) -> None:
    hosts = ContainerClient.from_connection_string(storage, "azure-webjobs-hosts")
    await timed.start()
    assert await timed.stop() == 0
    assert not ran(timed, "daily")

    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    for function in ("daily", "unmonitored"):
        hosts.upload_blob(
            status(storage, timed, function), f'{{"LastUpdated": "{long_ago}"}}', overwrite=True
        )
    await timed.start()
    await eventually(lambda: ran(timed, "daily"))
    assert await timed.stop() == 0
    await timed.start()
    assert await timed.stop() == 0

    runs = ran(timed, "daily")
    assert [run["past_due"] for run in runs] == [True]
    assert runs[0]["status"] == {"LastUpdated": long_ago}
    assert not ran(timed, "unmonitored")
    hosts.close()
