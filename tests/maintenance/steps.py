"""What the tests of maintenance share."""

from datetime import timedelta

from shared.catalogue import NOTICES_QUEUE
from shared.composition.maintenance import MaintenanceFlow
from shared.maintenance.rules import WindowPlan
from shared.messages.contracts import Actor
from tests.queues import data_of, peeked

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ITO = Actor(id="ito", role="vendor.it_supervisor", organisation="vendor")


def flow(app):
    """The maintenance windows of an app."""
    return app.flow(MaintenanceFlow).maintenance


async def plan(app, start=6 * DAY, identifier=None, **more):
    """Plan a window of two hours; the window."""
    now = app.clock()
    wish = WindowPlan(starts_at=now + start, ends_at=now + start + 2 * HOUR, work="Disks", **more)
    window, _ = await flow(app).plan(wish, identifier or app.new_id(), ITO)
    return window


async def call_off(app, window):
    """Call a window off, in whatever state; the window."""
    off, _ = await flow(app).call_off(window.id, "no disks", ITO, lambda _etag: None)
    return off


async def told(bus, window, tenant=None):
    """What was sent about a window, in order: (change, version), of a tenant or of all."""
    found = [data_of(message) for message in await peeked(bus, NOTICES_QUEUE.name)]
    return [
        (one["change"], one["version"])
        for one in found
        if one.get("windowId") == window.id and tenant in (None, one["tenant"])
    ]
