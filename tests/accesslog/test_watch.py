"""What the integrity watch tells of its own failure, and of what it cannot find."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog.integrity.watch import IntegrityWatch
from shared.azure.bus import AzureBus
from shared.catalogue import INCIDENTS_QUEUE
from shared.errors import UnavailableError
from shared.incidents import Incidents
from shared.messages import Outbox
from tests.accesslog.logs import SECRET
from tests.entrylogs import NoLog
from tests.journeys.logs import incidents

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)


class Failing:
    """Checkpoints that cannot be read, for a reason that nobody foresaw."""

    def __init__(self, error):
        self._error = error

    async def newest(self, _tenant):
        raise self._error


@pytest.fixture
async def watch(stack, kept):
    """`watch(error, now)` is a watch that fails with `error`."""
    strings = stack.info["connection_strings"]
    sender = AzureBus(strings["service_bus"], ping_queue=INCIDENTS_QUEUE.name)

    def make(error, now=NOW):
        outbox = Outbox(kept, sender, NoLog(), lambda: now)
        return IntegrityWatch(
            kept,
            SECRET,
            Failing(error),
            outbox,
            Incidents(outbox, lambda: now),
            lambda: now,
        )

    yield make
    await sender.close()


async def test_its_own_failure_is_told_once_a_day_and_raised(watch, bus, tenant):
    for now, count in ((NOW, 1), (NOW + timedelta(hours=1), 1), (NOW + timedelta(days=1), 2)):
        with pytest.raises(ZeroDivisionError):
            await watch(ZeroDivisionError("of the tenant"), now).verify(tenant)
        told = await incidents(bus, tenant, count)
        assert len(told) == count
        assert "could not be verified: watch-failed" in told[-1]["summary"]
        assert "of the tenant" not in told[-1]["summary"]


async def test_what_may_succeed_later_is_only_raised(watch, bus, tenant):
    with pytest.raises(UnavailableError):
        await watch(UnavailableError("storage")).verify(tenant)
    assert await incidents(bus, tenant) == []


async def test_that_nothing_is_signed_is_told_once(watch, bus, tenant):
    for _ in range(2):
        await watch(None).report_unsigned(tenant, 7)
    (incident,) = await incidents(bus, tenant, 1)
    assert "publishing-refused at entry 7" in incident["summary"]
    assert "no change was found in it" in incident["summary"]
