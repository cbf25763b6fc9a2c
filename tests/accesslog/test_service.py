"""The access log on the stack's own tables: each entry once, newest first, readings included."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog import AccessLog
from shared.azure.tables import AzureTables
from shared.errors import UnavailableError
from shared.identity.rules import TENANT_DAM_MANAGER, VENDOR_DPO, Caller
from shared.ids import new_id
from shared.messages.contracts import AccessRecorded, Actor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def log(stack):
    """The log, with a clock that stands."""
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield AccessLog(tables, lambda: NOW)
    await tables.close()


def recorded(tenant, **values):
    given = {"action": "asset.read", "resource": "assets/1", "outcome": "allowed"} | values
    sven = Actor(id="sven", role="vendor.support", organisation="vendor")
    return AccessRecorded(tenant=tenant, actor=sven, **given)


@pytest.fixture
def tenant():
    """A tenant that no other test uses."""
    return "t" + new_id(datetime.now(UTC)).lower()


TENANTS_OWN = Caller("mia", frozenset({TENANT_DAM_MANAGER}), None, "t")
OFFICER = Caller("dora", frozenset({VENDOR_DPO}), None, "vendor")


async def read(log, tenant, caller=TENANTS_OWN, size=100, continuation=None):
    return await log.read(tenant, caller, size=size, continuation=continuation)


async def test_an_entry_says_all_that_was_recorded(log, tenant):
    told = {
        "outcome": "denied",
        "purpose": "repair",
        "ticket": "T-1",
        "grant_id": "g1",
        "reason": "grant-expired",
        "client_address": "192.0.2.1",
    }
    await log.record(recorded(tenant, **told), "e1", NOW)
    (entry,), _ = await read(log, tenant)
    assert (entry.id, entry.time, entry.actor.id) == ("e1", NOW, "sven")
    assert (entry.action, entry.resource) == ("asset.read", "assets/1")
    assert {name: getattr(entry, name) for name in told} == told


async def test_the_same_entry_twice_is_one_and_the_first_stays(log, tenant):
    await log.record(recorded(tenant), "e1", NOW)
    await log.record(recorded(tenant, outcome="failed"), "e1", NOW)
    await log.record(recorded(tenant), "e2", NOW)
    entries, _ = await read(log, tenant)
    assert sorted((e.id, e.outcome) for e in entries) == [("e1", "allowed"), ("e2", "allowed")]


async def test_the_newest_comes_first_on_every_page_whatever_the_order_of_arrival(log, tenant):
    for minute in (3, 0, 4, 1, 2):
        await log.record(recorded(tenant), f"e{minute}", NOW + timedelta(minutes=minute))
    seen, continuation = [], None
    while not seen or continuation is not None:
        entries, continuation = await read(log, tenant, size=2, continuation=continuation)
        assert len(entries) <= 2
        seen += [entry.id for entry in entries]
    assert seen == ["e4", "e3", "e2", "e1", "e0"]


async def test_one_tenants_entries_are_not_anothers(log, tenant):
    await log.record(recorded(tenant), "e1", NOW)
    assert await read(log, tenant + "x") == ([], None)


async def test_a_reading_by_the_vendor_is_in_what_it_reads_and_one_by_the_tenant_is_not(
    log, tenant
):
    await log.record(recorded(tenant), "e1", NOW - timedelta(minutes=1))
    await read(log, tenant)
    entries, _ = await read(log, tenant, OFFICER)
    assert [(e.action, e.actor.id) for e in entries] == [
        ("log.read", "dora"),
        ("asset.read", "sven"),
    ]
    assert entries[0].actor.role == VENDOR_DPO
    assert entries[0].actor.organisation == "vendor"


class FailingTables:
    """Tables that are down."""

    async def commit(self, table, operations):
        raise UnavailableError("storage")


async def test_what_cannot_be_recorded_does_not_happen(tenant):
    log = AccessLog(FailingTables(), lambda: NOW)
    with pytest.raises(UnavailableError):
        await log.record(recorded(tenant), "e1", NOW)
    with pytest.raises(UnavailableError):
        await read(log, tenant, OFFICER)
