"""What the tests of the log's storage share: entries, tenants and what a sound log is."""

import base64
import itertools
import json
import os
from datetime import UTC, datetime

from shared.accesslog import LogStore, NewEntry
from shared.accesslog.integrity.audit import audit_log
from shared.accesslog.storage.events import EventKey, EventSecret
from shared.ids import key
from shared.merkle import leaf_hash, root_of
from shared.ports import SecretVersion

_numbers = itertools.count()
_KEY = b"an HMAC key for these tests only"


class FixedVault:
    """A vault with one version of each secret, in place of the real one."""

    async def versions(self, _name):
        value = base64.b64encode(_KEY).decode()
        return [SecretVersion(value, "1", datetime(2026, 1, 1, tzinfo=UTC))]


EVENT_SECRET = EventSecret(FixedVault())


def log_store(tables, **given):
    """A store of logs whose events' rows have keys under the secret of these tests."""
    return LogStore(tables, EVENT_SECRET, **given)


async def audit(tables, tenant, from_size=0, roots=None, **given):
    """An audit of a log."""
    return await audit_log(tables, EVENT_SECRET, tenant, from_size, roots, **given)


def event_name(tenant, identifier, source="tests"):
    """The RowKey of an event."""
    return EventKey.of(_KEY, key(tenant), source, str(identifier)).row


def new_tenant():
    """A tenant that no other test uses, and no other process of a parallel run."""
    return f"t{os.getpid()}-{next(_numbers)}"


def entry(identifier, *, source="tests", **fields):
    """The entry of an event."""
    values = {"source": source, "id": str(identifier), **fields}
    return NewEntry(source, str(identifier), json.dumps(values, sort_keys=True).encode())


def entries(*identifiers, **fields):
    """An entry of each event."""
    return [entry(identifier, **fields) for identifier in identifiers]


async def payloads(store, tenant):
    """What the log has, in order."""
    return [payload async for _, payload in store.read(tenant)]


async def kept_ids(store, tenant):
    """The events of the log, in order."""
    return [json.loads(payload)["id"] for payload in await payloads(store, tenant)]


async def assert_sound(store, tenant):
    """The tree over the log is the one that its entries make, from both ends alike."""
    kept = await payloads(store, tenant)
    edge = await store.head(tenant)
    assert edge.size == len(kept)
    assert edge.root() == root_of([leaf_hash(payload) for payload in kept])
    back = [found async for found in store.read_back(tenant)]
    assert back == list(reversed(list(enumerate(kept))))
    return kept
