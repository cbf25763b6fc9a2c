"""What the tests of rescans share: uploads, further signatures, deliveries of messages."""

import shutil
from pathlib import Path

from shared.assets.scan_index import ScanIndex
from shared.catalogue import INCIDENTS_QUEUE, NOTICES_QUEUE
from shared.composition.scanning import ScanningFlow
from shared.messages.contracts import Actor
from shared.rescans.rules import Choice
from shared.scanning.engines import Engines
from shared.scanning.yara import Signatures
from tests.compositions import arrived
from tests.queues import data_of, peeked

ROOT = Path(__file__).parents[2]
SIGNATURES = ROOT / "shared/scanning/signatures"
MIA = Actor(id="mia", role="tenant.admin", organisation="A tenant")
ALL = Choice()
MARK = b"a mark that no signature knows yet"
RULE = """
rule NewlyKnown { meta: reach = 64 date = "2026-11-20"
  strings: $mark = "a mark that no signature knows yet" condition: $mark }
"""


class With:
    """The embedded engine with the signatures of a folder."""

    name = "yara-x"
    scans_on_demand = True

    def __init__(self, signatures):
        self._signatures = signatures

    async def engine(self):
        return self._signatures.engine

    async def begin(self, upload, blob):
        return self._signatures.begin()

    async def forget(self, upload):
        pass


def newer_signatures(folder):
    """The app's signatures and one rule more, which knows `MARK`."""
    shutil.copytree(SIGNATURES, folder / "signatures")
    (folder / "signatures/newer.yar").write_text(RULE)
    return Signatures(folder / "signatures")


def use(app, *scanners):
    """Let an app scan with these scanners. Before the app's rescans are first used."""
    app.flow(ScanningFlow).engines = Engines(scanners)


async def upload(app, tenant, path, data):
    """Upload a file and have it taken in; the asset."""
    before = {one.id for one in await assets(app, tenant)}
    await app.intake.process_upload(await arrived(app, tenant, path, data))
    [found] = [one for one in await assets(app, tenant) if one.id not in before]
    return found


async def assets(app, tenant):
    found, _ = await app.assets.page(tenant, size=1000, continuation=None)
    return found


async def indexed(app, tenant, before):
    """The ids of the index, the oldest scan first."""
    rows = await ScanIndex(app.tables).oldest(tenant, before, size=1000)
    return [row.asset for row in rows]


async def run(app, tenant, rescan, *, most=1000):
    """Deliver the messages of a rescan, one after the other, until it waits or ends."""
    for _ in range(most):
        state, _ = await app.rescans.find(tenant, rescan)
        if state.status not in ("counting", "running"):
            break
        await app.rescans.advance(tenant, rescan, state.batch)
    state, _ = await app.rescans.find(tenant, rescan)
    return state


async def incidents(bus, tenant):
    found = [data_of(message) for message in await peeked(bus, INCIDENTS_QUEUE.name)]
    return [(one["kind"], one["resource"]) for one in found if one["tenant"] == tenant]


async def notices(bus, tenant):
    found = [data_of(message) for message in await peeked(bus, NOTICES_QUEUE.name)]
    return [one for one in found if one["tenant"] == tenant and "assetId" in one]
