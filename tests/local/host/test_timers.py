"""Timers: schedules, and functions fired by a real host process.

Sources: "Timer trigger for Azure Functions" (NCRONTAB expressions, the trigger's attributes and
usage) and, for the endpoint, "Manually run a non HTTP-triggered function", both on
learn.microsoft.com.
"""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.storage.blob import ContainerClient

from infra.local.host.errors import StartupError
from infra.local.host.timers import TimerSchedule
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
    assert TimerSchedule(expression).after(NOON) == following


def test_a_date_that_never_comes_is_refused() -> None:
    with pytest.raises(StartupError, match="'0 0 0 30 2 \\*' never fires"):
        TimerSchedule("0 0 0 30 2 *")


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * * *", "60 * * * * *", "00:05:00", "@daily", "0 0 0 ? * 1#2"],
)
def test_what_is_no_ncrontab_is_refused(expression: str) -> None:
    with pytest.raises(StartupError):
        TimerSchedule(expression)


@pytest.fixture
def timed(new_host: Callable[..., Host], storage: str) -> Host:
    host = new_host("timers", AzureWebJobsStorage=storage, YEARLY="0 0 0 1 1 *", HELD="0 0 0 1 1 *")
    host.settings["AzureFunctionsWebHost__hostid"] = f"host{uuid.uuid4().hex}"
    return host


def status(host: Host, function: str) -> str:
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
    last = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=3)
    missed = {"Last": last, "Next": last + timedelta(days=1), "LastUpdated": last}
    for function in ("daily", "unmonitored"):
        keep(storage, timed, function, missed)
    for _ in range(2):
        await timed.start()
        await eventually(lambda: ran(timed, "daily"))
        assert await timed.stop() == 0

    runs = ran(timed, "daily")
    assert [run["past_due"] for run in runs] == [True]
    assert runs[0]["status"] == {name: when.isoformat() for name, when in missed.items()}
    assert not ran(timed, "unmonitored")
    now = kept(storage, timed, "daily")
    assert last < now["Last"] == now["LastUpdated"] < now["Next"]
    assert now["Next"].hour == 6


NEVER = datetime(1, 1, 1, tzinfo=UTC)
AT_SIX = datetime(2026, 1, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "status",
    [
        # A timer that has never run has missed no run.
        {"Last": NEVER, "Next": AT_SIX, "LastUpdated": AT_SIX - timedelta(days=1)},
        # The missed time was a time of a different schedule.
        {"Last": AT_SIX, "Next": AT_SIX + timedelta(hours=1), "LastUpdated": AT_SIX},
    ],
)
async def test_what_the_schedule_did_not_ask_for_is_not_made_up_for(
    timed: Host, storage: str, status: dict[str, datetime]
) -> None:
    keep(storage, timed, "daily", status)
    await timed.start()
    await eventually(lambda: ran(timed, "every_second"))
    assert await timed.stop() == 0
    assert not ran(timed, "daily")
    now = kept(storage, timed, "daily")
    assert now["Last"] == NEVER
    assert now["Next"] > datetime.now(UTC) - timedelta(minutes=5)


async def test_the_next_run_waits_for_the_last_and_sigterm_for_both(timed: Host) -> None:
    timed.settings["HELD"] = "*/2 * * * * *"
    await timed.start()
    await eventually(lambda: ran(timed, "held"))
    # The timer's next time comes and goes meanwhile.
    await asyncio.sleep(3)
    assert len(ran(timed, "held")) == 1
    timed.gate.touch()
    await eventually(lambda: len(ran(timed, "held done")) >= 2)
    timed.gate.unlink()
    await eventually(lambda: len(ran(timed, "held")) > len(ran(timed, "held done")))
    stopping = asyncio.create_task(timed.stop())
    await eventually(lambda: "stopping" in timed.log)
    assert timed.exit_code is None
    timed.gate.touch()
    assert await stopping == 0
    # In turns: a run starts after the last run has ended.
    names = [str(run["name"]) for run in timed.records if str(run["name"]).startswith("held")]
    assert names == ["held", "held done"] * (len(names) // 2)


def keep(storage: str, host: Host, function: str, times: dict[str, datetime]) -> None:
    """Write a timer's status to the Functions host's place."""
    with ContainerClient.from_connection_string(storage, "azure-webjobs-hosts") as hosts:
        if not hosts.exists():
            hosts.create_container()
        text = json.dumps({name: when.isoformat() for name, when in times.items()})
        hosts.upload_blob(status(host, function), text, overwrite=True)


def kept(storage: str, host: Host, function: str) -> dict[str, datetime]:
    """Return a timer's status."""
    with ContainerClient.from_connection_string(storage, "azure-webjobs-hosts") as hosts:
        text = hosts.download_blob(status(host, function)).readall()
    return {name: datetime.fromisoformat(when) for name, when in json.loads(text).items()}
