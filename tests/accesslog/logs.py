"""What the tests of the log's storage share: entries, tenants and what a sound log is."""

import itertools
import json
import os

from shared.accesslog import LogStore, NewEntry
from shared.accesslog.integrity.audit import audit_log
from shared.accesslog.storage.event_secret import EventSecret
from shared.accesslog.storage.events import EventKey
from shared.ids import key
from shared.merkle import leaf_hash, root_of
from tests.compositions import OneSecret

SECRET = EventSecret(OneSecret())

_numbers = itertools.count()


def log_store(tables):
    """A store of logs whose events have keys under the secret of these tests."""
    return LogStore(tables, SECRET)


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


async def row_of(identifier, tenant, *, source="tests"):
    """The RowKey of an event of a tenant's log."""
    return EventKey.of((await SECRET.key(None)).value, key(tenant), source, str(identifier)).row


async def audited(store, tenant, from_size=0, roots=None):
    """What an audit of a store's log finds."""
    tables, secret = store._tables, store._secret
    return await audit_log(tables, secret, tenant, from_size, roots, leaf=store._leaf)


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
