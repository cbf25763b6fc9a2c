"""Redactions that break off or meet: one record, one note, and nothing of the payload left."""

import asyncio
import base64
from datetime import UTC, datetime

import pytest

from shared.accesslog import AccessLog, LogStore
from shared.accesslog.entries import entry_of
from shared.accesslog.proofs.checkpoints import Checkpoints
from shared.accesslog.proofs.keys import LogKeys
from shared.accesslog.reading.filters import EntryFilter
from shared.accesslog.reading.listing import Reading
from shared.accesslog.redactions import ACTION, Redactions, require_redactable
from shared.azure.blobs import AzureBlobs
from shared.azure.tables import AzureTables
from shared.errors import NotFoundError, RefusalError, UnavailableError
from shared.identity.rules import TENANT_ADMIN, VENDOR_DPO, Caller
from shared.ids import new_id
from shared.merkle import open_redaction
from shared.messages.contracts import AccessRecorded, Actor
from shared.ports import SecretVersion
from tests.accesslog.logs import SECRET as EVENT_SECRET

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Caller("ada", frozenset({TENANT_ADMIN}), "t", "t")
SECRET = "typed by somebody who should not have"


class OneKey:
    """A vault with one version of the log's key."""

    async def versions(self, name):
        value = base64.b64encode(bytes(range(32))).decode()
        return [SecretVersion(value, "1", NOW)]

    async def disabled(self, name):
        return {}


class Breaking(LogStore):
    """A store whose `replace` fails so many times, or waits for another, before it works."""

    failures = 0
    first = None

    async def replace(self, tenant, index, payload):
        if self.failures:
            self.failures -= 1
            raise UnavailableError("storage")
        if self.first is not None:
            first, self.first = self.first, None
            await first()
        return await super().replace(tenant, index, payload)


class Log:
    """A tenant's log with one entry whose purpose is to be erased."""

    def __init__(self, tables, blobs):
        self.tenant = "t" + new_id(datetime.now(UTC)).lower()
        self.store = Breaking(tables, EVENT_SECRET)
        self.log = AccessLog(self.store, lambda: NOW)
        keys = LogKeys(OneKey(), blobs, lambda: NOW)
        self.checkpoints = Checkpoints(
            self.store, keys, tables, blobs, lambda: NOW, "log.example/api"
        )
        self.redactions = Redactions(self.store, self.log, self.checkpoints, keys, lambda: NOW)

    async def redact(self, index=0, reason="gdpr-art-17"):
        return await self.redactions.redact(self.tenant, index, reason, "DSR-1", ADA)

    async def payloads(self):
        return [payload async for _, payload in self.store.read(self.tenant)]

    async def actions(self):
        entries, _ = await Reading(self.store).page(
            self.tenant, EntryFilter(), size=100, continuation=None
        )
        return [entry.action for entry in entries]


@pytest.fixture
async def log(stack):
    storage = stack.info["connection_strings"]["storage"]
    tables, blobs = AzureTables(storage), AzureBlobs(storage)
    made = Log(tables, blobs)
    actor = Actor(id="sven", role="vendor.support", organisation="vendor")
    entry = AccessRecorded(
        tenant=made.tenant,
        actor=actor,
        action="asset.read",
        resource="assets/1",
        outcome="allowed",
        purpose=SECRET,
    )
    await made.log.record(entry, "e1", NOW)
    yield made
    await tables.close()
    await blobs.close()


VENDORS = Actor(id="sven", role="vendor.support", organisation="vendor")
ENGINEERS = Actor(id="sven", role="support-engineer", organisation="vendor")
CLAIMED = Actor(id="sven", role="tenant.admin", organisation="vendor")
TENANTS = Actor(id="mia", role="tenant.dam_manager", organisation="t")
DORA = Caller("dora", frozenset({VENDOR_DPO}), None, "vendor")


@pytest.mark.parametrize(
    ("actor", "action", "caller", "code"),
    [
        (VENDORS, "asset.read", ADA, None),
        (TENANTS, "consent.granted", ADA, None),
        (TENANTS, "consent.granted", DORA, None),
        (VENDORS, "asset.read", DORA, "log-entry-of-vendor"),
        (ENGINEERS, "asset.downloaded", DORA, "log-entry-of-vendor"),
        (ENGINEERS, "asset.downloaded", ADA, None),
        (CLAIMED, "asset.downloaded", DORA, "log-entry-of-vendor"),
        (TENANTS, ACTION, ADA, "log-entry-not-redactable"),
        (VENDORS, ACTION, DORA, "log-entry-not-redactable"),
    ],
)
def test_who_may_redact_what(actor, action, caller, code):
    told = AccessRecorded(tenant="t", actor=actor, action=action, resource="r", outcome="allowed")
    entry = entry_of(told, "/vouchsafe", "e1", NOW, NOW)
    if code is None:
        require_redactable(entry, caller)
        return
    with pytest.raises(RefusalError) as refused:
        require_redactable(entry, caller)
    assert refused.value.code == code


async def test_one_that_breaks_off_after_its_record_is_done_by_the_next(log):
    log.store.failures = 1
    with pytest.raises(UnavailableError):
        await log.redact()
    assert SECRET.encode() in (await log.payloads())[0]
    assert (await log.actions())[0] == ACTION
    assert (await log.redact()).redacted is not None
    assert (await log.actions()).count(ACTION) == 1
    assert SECRET.encode() not in b"".join(await log.payloads())


async def test_those_that_meet_leave_one_record_and_one_valid_note(log):
    shown = await asyncio.gather(*(log.redact() for _ in range(5)))
    assert all(one.redacted is not None for one in shown)
    assert (await log.actions()).count(ACTION) == 1
    note = (await log.payloads())[0]
    keys = await log.checkpoints.verifiers(log.tenant)
    origin = log.checkpoints.origin(log.tenant)
    assert open_redaction(note, 0, origin, keys).reason == "gdpr-art-17"
    assert await log.store.find(log.tenant, "/vouchsafe", "e1") is None
    assert await log.store.find(log.tenant, "/vouchsafe", "redaction-0") == 1


async def test_another_event_under_the_id_of_the_record_does_not_stand_for_it(log):
    actor = Actor(id="dam", role="system", organisation="vendor")
    other = AccessRecorded(
        tenant=log.tenant, actor=actor, action="asset.viewed", resource="r", outcome="allowed"
    )
    await log.log.record(other, "redaction-0", NOW)
    assert (await log.redact()).redacted is not None
    assert (await log.actions())[0] == ACTION


async def test_an_entry_that_is_not_there_is_not_redacted_and_nothing_recorded(log):
    with pytest.raises(NotFoundError):
        await log.redact(7)
    assert await log.actions() == ["asset.read"]


async def test_the_note_of_the_first_of_two_redactions_stays(log):
    async def other():
        await log.redact(reason="court-order")

    log.store.first = other
    answer = await log.redact()
    note = (await log.payloads())[0]
    origin = log.checkpoints.origin(log.tenant)
    keys = await log.checkpoints.verifiers(log.tenant)
    assert open_redaction(note, 0, origin, keys).reason == "court-order"
    assert answer.redacted.reason == "court-order"
    assert (await log.actions()).count(ACTION) == 1
