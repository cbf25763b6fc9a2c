"""A process that does the work of incidents, in children that may be killed at any step.

`tests.intake.dying_worker` says how.
"""

from datetime import UTC, datetime, timedelta

import shared.azure.bus
import shared.azure.tables
import shared.incidents.records.desk
import shared.incidents.records.intake
import shared.incidents.records.timer  # noqa: F401 - imported once, and not in each child
from shared.incidents.records.matters import MatterMessage
from shared.messages.contracts import Actor, IncidentCleared, IncidentOpened
from tests.intake import dying_worker

ACTOR = Actor(id="dora", role="vendor.dpo", organisation="vendor")


class Time:
    """A clock that goes ahead."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return datetime.now(UTC) + self.ahead


async def work(app, job):
    """Open, repeat, escalate, assess and clear an incident of a kind of its own."""
    kind = job["event"]["kind"]
    began = datetime.fromisoformat(job["event"]["at"])
    app.clock = time = Time()

    def opened(number, resource="r"):
        data = IncidentOpened(kind=kind, severity="critical", summary="s", resource=resource)
        at = began + timedelta(seconds=number)
        return MatterMessage(f"{kind}-{number}", at, data)

    await app.incident_intake.take([opened(1), opened(2), opened(1), opened(3, "other")])
    await app.incident_intake.take([opened(2), opened(4)])
    rows = app.tables.scan("incidents", "_records", prefix="incident|")
    records = [row async for row in rows if row.values["kind"] == kind]
    [incident] = [str(row.values["id"]) for row in records if row.values["resource"] == "r"]
    time.ahead = timedelta(minutes=16)
    due = app.tables.scan("incidents", "_records", prefix="due|")
    for row in [row async for row in due if row.values["incident"] == incident]:
        await app.escalation.escalate(row)
    await app.desk.add(incident, f"{kind}-action", "scoped", "Nothing was touched.", ACTOR)
    await app.desk.assess(incident, "no-breach", "Nothing was touched.", ACTOR)
    over = IncidentCleared(kind=kind, resource="r", reason="It works again.")
    end = MatterMessage(f"{kind}-over", began + timedelta(minutes=10), over)
    await app.incident_intake.take([end])


if __name__ == "__main__":
    dying_worker.main(work)
