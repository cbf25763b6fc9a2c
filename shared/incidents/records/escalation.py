"""The escalation of incidents: who is told, and when. The table, and pure rules.

A change of who is told is a change of the table. `tests/incidents/test_escalation.py` holds the
roles to the roles of the app.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from shared.catalogue import NOTICES_QUEUE
from shared.incidents.records.rules import Draft, Incident, is_undecided
from shared.messages.cloudevents import encode
from shared.messages.contracts import IncidentEscalated, Severity
from shared.ports import OutgoingMessage


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """A step: `roles` are told `after` a time, as long as the incident is as `when` says.

    `unacknowledged`: nobody has acknowledged the incident since the opening. `undecided`: nobody
    has decided whether a critical incident is a breach since the app became aware of the incident.
    """

    name: str
    severity: Severity
    when: Literal["unacknowledged", "undecided"]
    after: timedelta
    roles: tuple[str, ...]


_SUPERVISOR: Final = "vendor.it_supervisor"
_OFFICER: Final = "vendor.officer"
_DPO: Final = "vendor.dpo"

ESCALATION: Final = (
    EscalationStep(
        "critical-0", "critical", "unacknowledged", timedelta(0), (_SUPERVISOR, _OFFICER)
    ),
    EscalationStep(
        "critical-15m",
        "critical",
        "unacknowledged",
        timedelta(minutes=15),
        (_SUPERVISOR, _OFFICER),
    ),
    EscalationStep(
        "critical-1h", "critical", "unacknowledged", timedelta(hours=1), (_OFFICER, _DPO)
    ),
    EscalationStep("critical-undecided", "critical", "undecided", timedelta(hours=12), (_DPO,)),
    EscalationStep("warning-0", "warning", "unacknowledged", timedelta(0), (_SUPERVISOR,)),
    EscalationStep("warning-1h", "warning", "unacknowledged", timedelta(hours=1), (_OFFICER,)),
)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of a day, in a named time zone, in which nobody is told of a warning."""

    zone: str
    start: time
    end: time

    def over(self, at: datetime) -> datetime:
        """Return `at`, or the end of the quiet hours that `at` lies in."""
        local = at.astimezone(ZoneInfo(self.zone))
        now = local.time()
        if self.start <= self.end:
            is_quiet, days = self.start <= now < self.end, 0
        else:
            is_quiet, days = now >= self.start or now < self.end, int(now >= self.start)
        if not is_quiet:
            return at
        day = local.date() + timedelta(days=days)
        return datetime.combine(day, self.end, local.tzinfo).astimezone(at.tzinfo)


QUIET: Final = QuietHours("Europe/Berlin", time(20), time(7))


def due_of(incident: Incident, step: EscalationStep) -> datetime | None:
    """Return the time at which a step is due; None for a step that is not to be taken."""
    if step.severity != incident.severity or step.name in incident.told:
        return None
    if step.when == "undecided":
        return incident.aware_at + step.after if is_undecided(incident) else None
    if incident.status != "open":
        return None
    due = incident.escalates_from + step.after
    return QUIET.over(due) if step.severity == "warning" else due


def next_due(incident: Incident) -> datetime | None:
    """Return the time of the next step of an incident's escalation; None where there is none."""
    times = [due for step in ESCALATION if (due := due_of(incident, step)) is not None]
    return min(times, default=None)


def escalate(draft: Draft, now: datetime) -> list[OutgoingMessage]:
    """Take every step that is due, and set the time of the next step. Returns the notices."""
    notices = []
    for number, step in enumerate(ESCALATION):
        due = due_of(draft.incident, step)
        if due is None or due > now:
            continue
        incident = draft.incident
        draft.change(told=(*incident.told, step.name))
        draft.note(now, "escalated", f"Told: {', '.join(step.roles)}. Step: {step.name}.")
        notices.append(_notice(incident, step, number, now))
    draft.change(due_at=next_due(draft.incident))
    return notices


def _notice(
    incident: Incident, step: EscalationStep, number: int, now: datetime
) -> OutgoingMessage:
    notice = IncidentEscalated(
        incident_id=incident.id,
        kind=incident.kind,
        severity=incident.severity,
        resource=incident.resource,
        summary=incident.summary,
        step=number,
        roles=step.roles,
        is_drill=incident.is_drill,
        opened_at=incident.opened_at,
        tenant=incident.tenant,
    )
    identifier = f"{incident.id}-{incident.round}-{step.name}"
    return encode(NOTICES_QUEUE.name, notice, identifier=identifier, now=now)
