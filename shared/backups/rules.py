"""Backup audits: pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from shared.backups.expectations import Expectation
from shared.ids import key
from shared.messages.contracts import IncidentCleared, IncidentOpened
from shared.ports import BackupJob
from shared.rows import Stored

# The states in which a job has left a recovery point. Source: "Job status", Azure Backup REST API.
COMPLETED: Final = frozenset({"Completed", "CompletedWithWarnings"})

type BackupVerdict = Literal["completed", "failed", "missed", "unknown"]


class ItemFinding(msgspec.Struct, frozen=True, rename="camel"):
    """The finding of an audit about an item.

    `completed`: a backup completed in time. `failed`: no backup completed in time, and the newest
    job has failed. `missed`: no backup completed in time. `unknown`: the vault could not be asked.
    `completed_at` is the end of the newest job that left a recovery point, `due_by` the latest time
    of the next job.
    """

    item: str
    vault: str
    verdict: BackupVerdict
    completed_at: datetime | None = None
    due_by: datetime | None = None
    newest_job: str | None = None


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """An audit. `expectations_sha256` is the digest, in hex, of the file of expectations."""

    id: str
    day: str
    audited_at: datetime
    region: str
    expectations_sha256: str
    findings: tuple[ItemFinding, ...]


class Summary(Stored, frozen=True):
    """An audit in the list of a day. `not_completed` counts the items of any other verdict."""

    id: str
    day: str
    audited_at: datetime
    items: int
    not_completed: int
    evidence: str


class ItemDay(Stored, frozen=True):
    """An item on a day, from the newest audit of the day.

    `open_kinds` are the kinds of the item's incidents that no completed backup has cleared yet.
    """

    item: str
    vault: str
    day: str
    verdict: BackupVerdict
    audit: str
    audited_at: datetime
    completed_at: datetime | None = None
    incident_at: datetime | None = None
    open_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemDayDecision:
    """The state to keep, and the incident to open; None where nothing is to be done.

    `once` is the span of the incident. `cleared` are the incidents that are over.
    """

    state: ItemDay | None
    incident: IncidentOpened | None = None
    once: str = ""
    cleared: tuple[IncidentCleared, ...] = ()


def judge(expectation: Expectation, jobs: Sequence[BackupJob] | None, now: datetime) -> ItemFinding:
    """Compare the vault's `jobs` with an expectation; None stands for a silent vault."""
    if jobs is None:
        return ItemFinding(expectation.item, expectation.vault, "unknown")
    ours = [job for job in jobs if job.item == expectation.item and job.started <= now]
    newest = max(ours, key=lambda job: job.started, default=None)
    ends = [job.ended for job in ours if job.status in COMPLETED and job.ended is not None]
    completed_at = max((ended for ended in ends if ended <= now), default=None)
    due_by = None if completed_at is None else completed_at + longest_gap(expectation)
    verdict: BackupVerdict = "missed"
    if due_by is not None and now <= due_by:
        verdict = "completed"
    elif newest is not None and newest.status == "Failed":
        verdict = "failed"
    return ItemFinding(
        expectation.item,
        expectation.vault,
        verdict,
        completed_at,
        due_by,
        newest.status if newest else None,
    )


def longest_gap(expectation: Expectation) -> timedelta:
    """Return the longest time from a completed backup to the next."""
    return timedelta(hours=expectation.every_hours + expectation.tolerance_hours)


def record(
    previous: ItemDay | None, earlier: ItemDay | None, finding: ItemFinding, report: Report
) -> ItemDayDecision:
    """Apply `finding` to the item's day.

    `previous` is the state of the day so far, `earlier` the newest state of an earlier day. A day
    of an item opens at most one incident, until a completed backup clears the incident.
    """
    if previous is not None and previous.audited_at > report.audited_at:
        return ItemDayDecision(None)
    held = previous or earlier
    open_kinds = held.open_kinds if held else ()
    incident_at = previous.incident_at if previous else None
    incident: IncidentOpened | None = None
    cleared: tuple[IncidentCleared, ...] = ()
    # Two vaults may have items of one name.
    span = key(finding.vault, finding.item, report.day)
    resource = f"backups/{finding.vault}/{finding.item}"[:1100]
    is_open = incident_at is not None and previous is not None and previous.verdict != "completed"
    if finding.verdict == "completed":
        cleared = tuple(
            IncidentCleared(kind=kind, resource=resource, reason=_RAN) for kind in open_kinds
        )
        open_kinds = ()
    elif not is_open:
        if incident_at is not None:
            span = key(finding.vault, finding.item, report.day, report.id)
        incident_at = report.audited_at
        incident = IncidentOpened(
            kind=f"backup.{finding.verdict}",
            severity="critical",
            summary=f"{_SUMMARIES[finding.verdict]} Audit: {report.day}/{report.id}.",
            resource=resource,
        )
        open_kinds = tuple(dict.fromkeys((*open_kinds, incident.kind)))
    state = ItemDay(
        item=finding.item,
        vault=finding.vault,
        day=report.day,
        verdict=finding.verdict,
        audit=report.id,
        audited_at=report.audited_at,
        completed_at=finding.completed_at,
        incident_at=incident_at,
        open_kinds=open_kinds,
    )
    return ItemDayDecision(state, incident, span, cleared)


UNREADABLE_KIND: Final = "backup.expectations-invalid"
EXPECTATIONS: Final = "backups/expectations"
_RAN: Final = "A backup of the item completed in time."


def unreadable(why: str) -> IncidentOpened:
    """Make the incident for unreadable expectations; `why` names the place of the fault."""
    return IncidentOpened(
        kind=UNREADABLE_KIND, severity="critical", summary=why[:512], resource=EXPECTATIONS
    )


_SUMMARIES: Final = {
    "failed": "No backup of the item completed in time; the newest job has failed.",
    "missed": "No backup of the item completed in time.",
    "unknown": "The recovery vault did not answer, so nobody knows whether the backup ran.",
}


def summary(report: Report, evidence: str) -> Summary:
    """Make the row that lists `report`; `evidence` is the name of the blob."""
    return Summary(
        id=report.id,
        day=report.day,
        audited_at=report.audited_at,
        items=len(report.findings),
        not_completed=sum(finding.verdict != "completed" for finding in report.findings),
        evidence=evidence,
    )
