"""The door to the log, on the stack's own tables: each entry once, readings by the vendor too."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog import AccessLog, EventIdReusedError, LogDamagedError, LogStore, Recorded
from shared.accesslog.reading.filters import EntryFilter, continuation_of
from shared.accesslog.reading.listing import Reading
from shared.accesslog.storage import layout
from shared.azure.tables import AzureTables
from shared.context import Context, during
from shared.errors import InvalidInputError, MalformedInputError, UnavailableError
from shared.identity.rules import TENANT_DAM_MANAGER, VENDOR_DPO, Caller
from shared.ids import new_id
from shared.messages.contracts import AccessRecorded, Actor
from shared.ports import Row, Upsert
from tests.accesslog.logs import SECRET

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANTS_OWN = Caller("mia", frozenset({TENANT_DAM_MANAGER}), None, "t")
OFFICER = Caller("dora", frozenset({VENDOR_DPO}), None, "vendor", "mfa+pwd")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(stack):
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield LogStore(tables, SECRET)
    await tables.close()


@pytest.fixture
def log(store, clock):
    return AccessLog(store, clock)


@pytest.fixture
def tenant():
    """A tenant that no other test uses."""
    return "t" + new_id(datetime.now(UTC)).lower()


def recorded(tenant, **values):
    given = {"action": "asset.read", "resource": "assets/1", "outcome": "allowed"} | values
    sven = Actor(id="sven", role="vendor.support", organisation="vendor")
    return AccessRecorded(tenant=tenant, actor=sven, **given)


def event(tenant, identifier, *, at=NOW, **values):
    return Recorded("/dam", identifier, at, recorded(tenant, **values))


async def read(store, tenant, wanted=None, size=100, continuation=None):
    return await Reading(store).page(
        tenant, wanted or EntryFilter(), size=size, continuation=continuation
    )


async def test_an_entry_says_all_that_was_recorded(log, store, tenant):
    told = {
        "outcome": "denied",
        "purpose": "repair",
        "ticket": "T-1",
        "grant_id": "g1",
        "reason": "grant-expired",
        "client_address": "192.0.2.1",
        "correlation_id": "c1",
    }
    assert await log.record(recorded(tenant, **told), "e1", NOW) == 0
    (entry,), _ = await read(store, tenant)
    assert (entry.index, entry.id, entry.source) == (0, "e1", "/vouchsafe")
    assert (entry.time, entry.received_at, entry.actor.id) == (NOW, NOW, "sven")
    assert (entry.action, entry.resource) == ("asset.read", "assets/1")
    assert {name: getattr(entry, name) for name in told} == told
    assert not entry.clock_ahead
    assert entry.redacted is None


async def test_the_same_entry_twice_is_one_even_when_its_clock_was_ahead(log, store, clock, tenant):
    ahead = NOW + timedelta(minutes=10)
    assert await log.record(recorded(tenant), "e1", ahead) == 0
    clock.now = ahead
    assert await log.record(recorded(tenant), "e1", ahead) == 0
    (entry,), _ = await read(store, tenant)
    assert entry.clock_ahead
    assert (entry.time, entry.received_at) == (ahead, NOW)


async def test_another_entry_under_a_known_id_is_refused_and_the_first_stays(log, store, tenant):
    await log.record(recorded(tenant), "e1", NOW)
    with pytest.raises(EventIdReusedError):
        await log.record(recorded(tenant, outcome="failed"), "e1", NOW)
    (entry,), _ = await read(store, tenant)
    assert entry.outcome == "allowed"


async def test_events_of_several_tenants_are_logged_in_order_and_the_bad_are_told(
    log, store, tenant
):
    other = f"{tenant}x"
    await log.record_events([event(tenant, "e0")])
    reasons = await log.record_events(
        [
            event(tenant, "e1"),
            event(tenant, "e2", resource="people/zoe@acme.example"),
            event(tenant, "zoe@acme.example"),
            event(other, "e1"),
            event(tenant, "e0", outcome="failed"),
            event(tenant, "e0"),
            event(tenant, "e3"),
        ]
    )
    codes = [reason and reason.code for reason in reasons]
    named = "log-entry-names-person"
    assert codes == [None, named, named, None, "event-id-reused", None, None]
    entries, _ = await read(store, tenant)
    assert [entry.id for entry in entries] == ["e3", "e1", "e0"]
    assert [entry.id for entry in (await read(store, other))[0]] == ["e1"]


class PartlyFailing:
    """A store that fails for one tenant."""

    def __init__(self, store, tenant, error):
        self._store = store
        self._tenant = tenant
        self._error = error

    async def append(self, tenant, entries):
        if tenant == self._tenant:
            raise self._error
        return await self._store.append(tenant, entries)


async def test_one_tenants_storage_that_fails_leaves_the_others_recorded(store, tenant):
    log = AccessLog(PartlyFailing(store, "down", UnavailableError("storage")), lambda: NOW)
    with pytest.raises(UnavailableError):
        await log.record_events([event("down", "e1"), event(tenant, "e1")])
    assert [entry.id for entry in (await read(store, tenant))[0]] == ["e1"]


async def test_the_events_of_a_damaged_log_are_refused_and_the_others_recorded(store, tenant):
    log = AccessLog(PartlyFailing(store, "damaged", LogDamagedError(3)), lambda: NOW)
    events = [event("damaged", "e1"), event(tenant, "e1"), event("damaged", "e2")]
    reasons = await log.record_events(events)
    assert [reason and reason.code for reason in reasons] == ["log-damaged", None, "log-damaged"]
    assert [entry.id for entry in (await read(store, tenant))[0]] == ["e1"]


@pytest.mark.parametrize("size", ["x", True, -1, 1 << 60])
async def test_a_head_that_cannot_be_read_parks_no_event_of_another_tenant(
    kept, log, store, tenant, size
):
    damaged = f"{tenant}x"
    await log.record_events([event(damaged, "e0")])
    head = await kept.get(layout.TABLE, damaged, layout.HEAD)
    changed = Row(damaged, layout.HEAD, head.values | {"size": size})
    await kept.commit(layout.TABLE, [Upsert(changed)])
    fresh = AccessLog(LogStore(kept, SECRET), lambda: NOW)
    reasons = await fresh.record_events([event(damaged, "e1"), event(tenant, "e1")])
    assert [reason and reason.code for reason in reasons] == ["log-damaged", None]
    assert [entry.id for entry in (await read(store, tenant))[0]] == ["e1"]


async def test_the_newest_comes_first_on_every_page(log, store, tenant):
    await log.record_events([event(tenant, f"e{number}") for number in range(5)])
    seen, continuation = [], None
    while not seen or continuation is not None:
        entries, continuation = await read(store, tenant, size=2, continuation=continuation)
        assert len(entries) <= 2
        seen += [entry.id for entry in entries]
    assert seen == ["e4", "e3", "e2", "e1", "e0"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"actor": "sven"}, ["e2", "e1", "e0"]),
        ({"actor": "nobody"}, []),
        ({"action": "asset.read"}, ["e2", "e0"]),
        ({"action": "asset"}, []),
        ({"grant": "g1"}, ["e1"]),
        ({"outcome": "denied"}, ["e2"]),
        ({"resource": "assets/1"}, ["e1", "e0"]),
        ({"resource": "asset"}, ["e2", "e1", "e0"]),
        ({"since": NOW + timedelta(minutes=1)}, ["e2", "e1"]),
        ({"until": NOW + timedelta(minutes=1)}, ["e0"]),
        ({"since": NOW + timedelta(minutes=1), "until": NOW + timedelta(minutes=2)}, ["e1"]),
        ({"since": NOW + timedelta(minutes=3)}, []),
        ({"since": datetime.min.replace(tzinfo=UTC)}, ["e2", "e1", "e0"]),
        ({"since": datetime.max.replace(tzinfo=UTC)}, []),
        ({"action": "asset.read", "outcome": "allowed"}, ["e0"]),
    ],
    ids=str,
)
async def test_entries_are_filtered(log, store, clock, tenant, wanted, found):
    minute = timedelta(minutes=1)
    clock.now = NOW + 2 * minute
    await log.record_events(
        [
            event(tenant, "e0"),
            event(tenant, "e1", at=NOW + minute, action="asset.written", grant_id="g1"),
            event(tenant, "e2", at=NOW + 2 * minute, outcome="denied", resource="assets/2"),
        ]
    )
    entries, continuation = await read(store, tenant, EntryFilter(**wanted))
    assert [entry.id for entry in entries] == found
    assert continuation is None


async def test_a_time_that_is_not_trusted_does_not_decide_what_is_listed(log, store, tenant):
    await log.record_events([event(tenant, "e0", at=NOW + timedelta(days=1))])
    ((entry,), _) = await read(store, tenant, EntryFilter(until=NOW + timedelta(hours=1)))
    assert entry.clock_ahead
    assert await read(store, tenant, EntryFilter(since=NOW + timedelta(hours=1))) == ([], None)


async def test_events_that_come_in_late_are_listed_by_when_they_happened(log, store, clock, tenant):
    clock.now = NOW + timedelta(days=2)
    await log.record_events([event(tenant, "young", at=clock.now), event(tenant, "late", at=NOW)])
    wanted = EntryFilter(since=NOW - timedelta(hours=1), until=NOW + timedelta(hours=1))
    assert [entry.id for entry in (await read(store, tenant, wanted))[0]] == ["late"]


@pytest.mark.parametrize("token", ["x", "AAAA", "!!!!", "AAAAAAAAAAA=", "AAAAAAAAAAAAAA"])
async def test_a_continuation_token_of_another_make_is_refused(store, tenant, token):
    with pytest.raises(MalformedInputError) as refused:
        await read(store, tenant, continuation=token)
    assert refused.value.code == "continuation-token-invalid"


@pytest.mark.parametrize("before", [3, 1 << 47, 1 << 48, (1 << 64) - 1])
async def test_a_continuation_from_behind_the_end_begins_at_the_end(log, store, tenant, before):
    await log.record_events([event(tenant, "e0"), event(tenant, "e1")])
    entries, _ = await read(store, tenant, continuation=continuation_of(before))
    assert [entry.id for entry in entries] == ["e1", "e0"]


async def test_one_tenants_entries_are_not_anothers(log, store, tenant):
    await log.record(recorded(tenant), "e1", NOW)
    assert await read(store, tenant + "x") == ([], None)


async def test_a_reading_by_the_vendor_is_logged_and_one_by_the_tenant_is_not(log, store, tenant):
    await log.record(recorded(tenant), "e1", NOW)
    await log.record_disclosure(tenant, TENANTS_OWN, "log/entries")
    await log.record_disclosure(tenant, OFFICER, "log/entries")
    entries, _ = await read(store, tenant)
    assert [(e.action, e.actor.id) for e in entries] == [
        ("log.read", "dora"),
        ("asset.read", "sven"),
    ]
    assert entries[0].actor.role == VENDOR_DPO
    assert entries[0].actor.organisation == "vendor"
    assert entries[0].actor.authentication_method == "mfa+pwd"


async def test_each_answer_to_the_tenants_own_is_an_entry_that_says_which_request(
    log, store, tenant
):
    with during(Context("c1", "192.0.2.1")):
        for _ in range(2):
            await log.record_answer(tenant, TENANTS_OWN, "asset.viewed", "assets/1")
    entries, _ = await read(store, tenant)
    assert len({entry.id for entry in entries}) == 2
    for entry in entries:
        assert (entry.action, entry.resource) == ("asset.viewed", "assets/1")
        assert (entry.actor.id, entry.actor.role) == ("mia", TENANT_DAM_MANAGER)
        assert (entry.correlation_id, entry.client_address) == ("c1", "192.0.2.1")
        assert (entry.outcome, entry.time) == ("allowed", NOW)


async def test_a_caller_whose_id_names_a_person_is_refused_and_nothing_is_kept(log, store, tenant):
    named = Caller("dora@vendor.example", frozenset({VENDOR_DPO}), None, "vendor")
    with pytest.raises(InvalidInputError) as refused:
        await log.record_disclosure(tenant, named, "log/entries")
    assert refused.value.code == "log-entry-names-person"
    assert await read(store, tenant) == ([], None)


class FailingTables:
    """Tables that are down."""

    async def get(self, table, partition, row):
        raise UnavailableError("storage")

    async def commit(self, table, operations):
        raise UnavailableError("storage")


async def test_what_cannot_be_recorded_does_not_happen(tenant):
    log = AccessLog(LogStore(FailingTables(), SECRET), lambda: NOW)
    with pytest.raises(UnavailableError):
        await log.record(recorded(tenant), "e1", NOW)
    with pytest.raises(UnavailableError):
        await log.record_disclosure(tenant, OFFICER, "log/entries")
    with pytest.raises(UnavailableError):
        await log.record_answer(tenant, TENANTS_OWN, "assets.listed", "assets")
