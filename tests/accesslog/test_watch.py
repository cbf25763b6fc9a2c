"""What the integrity watch tells of its own failure, and of what it cannot find."""

import base64
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog import LogStore
from shared.accesslog.integrity.watch import IntegrityWatch
from shared.accesslog.storage.event_secret import EventSecret
from shared.azure.bus import AzureBus
from shared.catalogue import INCIDENTS_QUEUE, LOG_WATCH_TABLE
from shared.errors import UnavailableError
from shared.incidents import Incidents, incident_id
from shared.messages import Outbox
from shared.messages.contracts import IncidentOpened
from shared.ports import SecretVersion
from tests.accesslog.logs import SECRET, entries
from tests.compositions import OneSecret, composed
from tests.entrylogs import NoLog
from tests.journeys.logs import incidents
from tests.journeys.portal import eventually
from tests.recorded import recorded

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

    def make(error, now=NOW, secret=SECRET):
        outbox = Outbox(kept, sender, NoLog(), lambda: now)
        return IntegrityWatch(
            kept,
            secret,
            Failing(error),
            outbox,
            Incidents(kept, outbox, lambda: now),
            lambda: now,
        )

    yield make
    await sender.close()


class Vault:
    """A vault with the values of the enabled versions of the secret."""

    def __init__(self, *values):
        self.values = values

    async def versions(self, _name):
        return [SecretVersion(value, f"v{n}", NOW) for n, value in enumerate(self.values)]


def value_of(byte):
    return base64.b64encode(bytes([byte] * 32)).decode()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "has no enabled version"),
        (["c2hvcnQ="], "has a version that is no key of 32 bytes: v0"),
        ([value_of(2)], "has no enabled version with the key of a log"),
    ],
)
async def test_a_secret_without_the_key_of_a_log_is_told_once_a_day(
    watch, kept, stack, tenant, values, reason
):
    if reason.endswith("log"):
        store = LogStore(kept, EventSecret(Vault(value_of(1))))
        await store.append(tenant, entries("a"))
    # A day that no other test has.
    now = NOW + timedelta(days=1 + uuid.uuid4().int % 100_000)
    secret = EventSecret(Vault(*values))
    for _ in range(2):
        await watch(None, now, secret).verify_event_key(tenant)
    (incident,) = await eventually(lambda: of_the_day(stack, now), bool)
    assert incident["kind"] == "log.event-key-missing"
    assert incident["resource"] == "secrets/log-event-hmac"
    assert incident["summary"].endswith(f"the secret log-event-hmac {reason}.")


async def of_the_day(stack, day):
    """The incidents about the secret that were opened on a day."""
    opened = IncidentOpened(
        kind="log.event-key-missing",
        severity="critical",
        summary="s",
        resource="secrets/log-event-hmac",
    )
    identifier = incident_id(opened, f"{day:%Y-%m-%d}")
    return [one for one in await recorded(stack) if one["message"] == identifier]


async def test_a_secret_with_the_key_of_the_log_is_not_told(watch, kept, stack, tenant):
    vault = Vault(value_of(1))
    await LogStore(kept, EventSecret(vault)).append(tenant, entries("a"))
    vault.values = ("c2hvcnQ=", value_of(3), value_of(1))
    now = NOW + timedelta(days=200_000)
    await watch(None, now, EventSecret(vault)).verify_event_key(tenant)
    assert await of_the_day(stack, now) == []


async def test_a_log_whose_events_were_not_compared_is_not_intact(kept, stack, tenant):
    async with composed(stack.settings, OneSecret()) as app:
        await LogStore(kept, EventSecret(Vault(value_of(1)))).append(tenant, entries("a"))
        (finding,) = await app.log_watch.verify(tenant)
        assert finding.kind == "event-key-missing"
        assert await kept.get(LOG_WATCH_TABLE.name, tenant, "watched") is None


async def test_its_own_failure_is_told_once_a_day_and_raised(watch, stack, tenant):
    for now, count in ((NOW, 1), (NOW + timedelta(hours=1), 1), (NOW + timedelta(days=1), 2)):
        with pytest.raises(ZeroDivisionError):
            await watch(ZeroDivisionError("of the tenant"), now).verify(tenant)
        told = await incidents(stack, tenant, count)
        assert len(told) == count
        assert "could not be verified: watch-failed" in told[-1]["summary"]
        assert "of the tenant" not in told[-1]["summary"]


async def test_what_may_succeed_later_is_only_raised(watch, stack, tenant):
    with pytest.raises(UnavailableError):
        await watch(UnavailableError("storage")).verify(tenant)
    assert await incidents(stack, tenant) == []


async def test_that_nothing_is_signed_is_told_once(watch, stack, tenant):
    for _ in range(2):
        await watch(None).report_unsigned(tenant, 7)
    (incident,) = await incidents(stack, tenant, 1)
    assert "publishing-refused at entry 7" in incident["summary"]
    assert "no change was found in it" in incident["summary"]
