"""The logs of the benchmarks: the store, and entries of the usual length.

No other benchmark imports the app's access log.
"""

import json
from typing import Final

from shared.accesslog import LogStore, NewEntry
from shared.accesslog.storage.event_secret import EventSecret
from shared.ports import Tables
from tests.compositions import OneSecret

TABLE: Final = "accesslog"
# The usual length of a tenant's id.
TENANT: Final = "acme-media"


def new_store(tables: Tables) -> LogStore:
    """Return the store of an instance that has read no log yet."""
    return LogStore(tables, EventSecret(OneSecret()))


def payload(identifier: object) -> bytes:
    """Return an entry of the usual length, about 400 bytes."""
    entry = {
        "action": "asset.read",
        "actor": {"id": "0b1c2d3e-5f60-4a7b-8c9d-0e1f2a3b4c5d", "role": "vendor.support"},
        "grantId": "01JDCH3V5Q4X9T6W8Z2Y7R0KSM",
        "id": str(identifier),
        "outcome": "allowed",
        "purpose": "repair of a broken rendition",
        "resource": "assets/01JDCH3V5Q4X9T6W8Z2Y7R0KSM",
        "source": "benchmark",
        "tenant": TENANT,
        "ticket": "SUP-20261124-000017",
        "time": "2026-11-24T06:00:00.000Z",
    }
    return json.dumps(entry, separators=(",", ":")).encode()


def entry(identifier: object) -> NewEntry:
    """Return the entry of the event `identifier`."""
    return NewEntry("benchmark", str(identifier), payload(identifier))


def entries(first: int, count: int) -> list[NewEntry]:
    """Return `count` entries, with the numbers from `first` on as events."""
    return [entry(number) for number in range(first, first + count)]
