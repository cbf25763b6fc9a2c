"""The record of an assessed incident, from the opening to the DPO's decision: pure rules.

    assessing -> assessed -> decided

A new assessment is possible in every state. After the decision that there is no breach, a new
assessment needs a new decision; a breach stays a breach, and what is new goes into the next version
of the notices (GDPR Art. 33(4)).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from shared.breaches.deadlines import DEADLINES, BreachClock, Moment, clocks
from shared.breaches.scoping.rules import ScopeCriteria, check_criteria
from shared.breaches.severity import SeverityFactors, SeverityLevel, SeverityScore, severity
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.messages.contracts import Actor
from shared.rows import Stored

type BreachStatus = Literal["assessing", "assessed", "decided"]
type BreachVerdict = Literal["no-breach", "breach"]
type IncidentMark = Literal["undecided", "no-breach", "breach"]
type BreachKind = Literal["confidentiality", "integrity", "availability"]

# The clocks of two machines differ by less.
_SKEW: Final = timedelta(minutes=5)
# The decisions are one column of 32,768 characters.
_MOST_DECISIONS: Final = 12
_HIGH: Final[frozenset[SeverityLevel]] = frozenset({"high", "very-high"})


class IncidentFacts(Stored, frozen=True):
    """The facts of an incident that the assessment starts from. `is_critical` is the severity's."""

    id: str
    summary: str
    began_at: datetime
    aware_at: datetime
    opened_at: datetime
    is_critical: bool
    is_drill: bool


class BreachAssessment(Stored, frozen=True):
    """The assessment of an incident, as the assessors state it.

    `is_breach` is the assessors' opinion: a personal data breach (GDPR Art. 4(12)). Words are for
    the tenants: plain, and without the data of any tenant. `significant_at` is the time at which
    the vendor became aware that the incident is significant (NIS2 Art. 23(3)), if it is.
    """

    is_breach: bool
    factors: SeverityFactors
    what_happened: str
    consequences: str
    measures: str
    began_at: datetime | None = None
    ended_at: datetime | None = None
    significant_at: datetime | None = None


class BreachDecision(Stored, frozen=True):
    """A decision of the DPO, with the reason."""

    verdict: BreachVerdict
    reason: str
    decided_by: Actor
    decided_at: datetime


class Breach(Stored, frozen=True):
    """The record of an assessed incident: an entry of the register (GDPR Art. 33(5)).

    `id` is the incident's id. `aware_at` is the beginning of the vendor's clock. `assessments`
    counts the assessments. `decisions` has each decision, the last of which is in force where the
    status is `decided`; `marked` is the decision as the record of the incident has it. `done` has
    the time at which the duty of a deadline was done, by the name of the deadline. `scope` is the
    question of the latest of the `scope_run` runs, `scoped_by` its author. `notice_round` counts
    the rounds of notices, of which `notices_done` are over. `contact` is the contact point of the
    DPO for the tenants, and `told_by` the author of the latest round.
    """

    id: str
    summary: str
    status: BreachStatus
    is_critical: bool
    is_drill: bool
    began_at: datetime
    aware_at: datetime
    incident_opened_at: datetime
    opened_at: datetime
    opened_by: Actor
    assessment: BreachAssessment | None = None
    assessments: int = 0
    assessed_at: datetime | None = None
    assessed_by: Actor | None = None
    decisions: tuple[BreachDecision, ...] = ()
    marked: IncidentMark = "undecided"
    done: Mapping[str, datetime] = {}
    scope: ScopeCriteria | None = None
    scoped_by: Actor | None = None
    scope_run: int = 0
    notice_round: int = 0
    notices_done: int = 0
    contact: str | None = None
    told_by: Actor | None = None

    @property
    def decision(self) -> BreachDecision | None:
        """The decision in force."""
        return self.decisions[-1] if self.status == "decided" else None

    @property
    def mark(self) -> IncidentMark:
        """The decision in force, for the record of the incident."""
        return "undecided" if self.decision is None else self.decision.verdict

    @property
    def is_breach(self) -> bool:
        """Tell whether the DPO has decided that the incident is a personal data breach."""
        return self.decision is not None and self.decision.verdict == "breach"

    def score(self, persons: int | None) -> SeverityScore | None:
        """Return the severity of a breach that concerns `persons`; None before an assessment."""
        return None if self.assessment is None else severity(self.assessment.factors, persons)


def open_breach(facts: IncidentFacts, actor: Actor, now: datetime) -> Breach:
    """Open the assessment of an incident."""
    return Breach(
        id=facts.id,
        summary=facts.summary,
        status="assessing",
        is_critical=facts.is_critical,
        is_drill=facts.is_drill,
        began_at=facts.began_at,
        aware_at=facts.aware_at,
        incident_opened_at=facts.opened_at,
        opened_at=now,
        opened_by=actor,
    )


def kinds_of(factors: SeverityFactors) -> tuple[BreachKind, ...]:
    """Return the kinds of a breach: of confidentiality, integrity or availability."""
    lost: Mapping[BreachKind, str] = {
        "confidentiality": factors.confidentiality,
        "integrity": factors.integrity,
        "availability": factors.availability,
    }
    return tuple(kind for kind, loss in lost.items() if loss != "none")


def assess(breach: Breach, assessment: BreachAssessment, actor: Actor, now: datetime) -> Breach:
    """Take an assessment. Raises InvalidInputError for an assessment that contradicts itself."""
    severity(assessment.factors, None)
    if assessment.is_breach and not kinds_of(assessment.factors):
        raise InvalidInputError(
            "breach-kind-missing",
            "A personal data breach is a loss of confidentiality, integrity or availability.",
            "Say in `factors` which of the three was lost.",
        )
    began, ended = assessment.began_at, assessment.ended_at
    if began and ended and ended < began:
        raise _time_invalid("The breach ends before the breach begins.")
    for at in (began, ended, assessment.significant_at):
        if at is not None and at > now + _SKEW:
            raise _time_invalid("A time of the assessment lies in the future.")
    stays = breach.is_breach
    return msgspec.structs.replace(
        breach,
        status="decided" if stays else "assessed",
        assessment=assessment,
        assessments=breach.assessments + 1,
        assessed_at=now,
        assessed_by=actor,
    )


def decide(
    breach: Breach, verdict: BreachVerdict, reason: str, actor: Actor, now: datetime
) -> Breach:
    """Take a decision of the DPO.

    Raises ConflictError before an assessment, and for the decision that a breach of which tenants
    were told is no breach. Raises InvalidInputError without a reason.
    """
    if breach.assessment is None:
        raise ConflictError(
            "breach-not-assessed",
            "The incident has no assessment.",
            "Assess the incident first; then decide.",
        )
    if not reason.strip():
        raise InvalidInputError(
            "breach-reason-missing", "A decision needs a reason.", "State the reason."
        )
    if verdict == "no-breach" and breach.notice_round:
        raise ConflictError(
            "breach-notices-sent",
            "Tenants have been told of this breach.",
            "Assess again, and send the next version of the notices, which says what was found.",
        )
    if len(breach.decisions) >= _MOST_DECISIONS:
        raise ConflictError(
            "breach-decisions-full",
            f"The record has {_MOST_DECISIONS} decisions, and takes no more.",
            "The last decision stands. Note what is new in the record of the incident.",
        )
    made = BreachDecision(verdict=verdict, reason=reason, decided_by=actor, decided_at=now)
    done = {**breach.done, "house-decision": breach.done.get("house-decision", now)}
    return msgspec.structs.replace(
        breach, status="decided", decisions=(*breach.decisions, made), done=done
    )


def ask_scope(breach: Breach, criteria: ScopeCriteria, actor: Actor, now: datetime) -> Breach:
    """Ask for a scope; the findings of an earlier run are replaced. Raises InvalidInputError."""
    check_criteria(criteria, now)
    return msgspec.structs.replace(
        breach, scope=criteria, scoped_by=actor, scope_run=breach.scope_run + 1
    )


def tell(breach: Breach, contact: str, actor: Actor) -> Breach:
    """Begin a round of notices.

    Raises ConflictError without the decision that there is a breach, without a scope, and while a
    round is under way.
    """
    require_notifiable(breach)
    if not breach.scope_run:
        raise ConflictError(
            "breach-not-scoped",
            "No scope was computed: nothing says which tenants are affected.",
            "Ask for the scope first.",
        )
    if breach.notices_done < breach.notice_round:
        raise ConflictError(
            "breach-notices-under-way",
            "A round of notices is under way.",
            "Wait until the record says that the round is over.",
        )
    return msgspec.structs.replace(
        breach, notice_round=breach.notice_round + 1, contact=contact, told_by=actor
    )


def report_done(breach: Breach, deadline: str, at: datetime, now: datetime) -> Breach:
    """Record that the duty of a deadline was done at a time.

    The app itself records the notices and the decision. Raises NotFoundError for any other name
    than that of a report of the vendor, and InvalidInputError for a time in the future.
    """
    if deadline not in REPORTS:
        raise NotFoundError(
            "deadline-not-found",
            "There is no such report.",
            f"The reports are: {', '.join(REPORTS)}.",
        )
    if at > now + _SKEW:
        raise _time_invalid("The time of the report lies in the future.")
    return msgspec.structs.replace(breach, done={**breach.done, deadline: at})


REPORTS: Final = tuple(one.name for one in DEADLINES if one.regime == "nis2")
"""The deadlines whose duty people do outside the app, and record."""


def vendor_clocks(breach: Breach, told_at: datetime | None, now: datetime) -> list[BreachClock]:
    """Return the clocks of the vendor.

    `told_at` is the time at which the last affected tenant got its first notice; None while a
    tenant waits. The notice is due from the decision for a breach on alone, but its clock runs from
    the awareness: Art. 33(2) waits for no decision.
    """
    significant = breach.assessment.significant_at if breach.assessment else None
    started: dict[Moment, datetime | None] = {
        "nis2-significant": significant,
        "nis2-notified": breach.done.get("nis2-notification"),
        "decision-due": breach.incident_opened_at if breach.is_critical else None,
    }
    if breach.decision is None or breach.is_breach:
        started["vendor-aware"] = breach.aware_at
    done: dict[str, datetime | None] = {**breach.done, "gdpr-processor-notice": told_at}
    return clocks("vendor", started, done, now)


def tenant_clocks(first_notice_at: datetime, now: datetime) -> list[BreachClock]:
    """Return the clocks of a tenant that got its first notice at a time."""
    return clocks("tenant", {"tenant-noticed": first_notice_at}, {}, now)


def require_notifiable(breach: Breach) -> BreachAssessment:
    """Return the assessment to tell tenants of. Raises ConflictError where tenants are not told."""
    if not breach.is_breach or breach.assessment is None:
        raise ConflictError(
            "breach-not-decided",
            "The DPO has not decided that this incident is a personal data breach.",
            "Decide first; notices follow the decision.",
        )
    return breach.assessment


def is_high_risk(breach: Breach, persons: int | None) -> bool:
    """Tell whether the score says a high risk to persons, for which Art. 34 has its own duty."""
    score = breach.score(persons)
    return score is not None and score.level in _HIGH


def breach_not_found() -> NotFoundError:
    """Make the answer for an incident without an assessment."""
    return NotFoundError(
        "breach-not-found",
        "The incident has no assessment.",
        "Open the assessment with the id of the incident.",
    )


def _time_invalid(detail: str) -> InvalidInputError:
    return InvalidInputError("breach-time-invalid", detail, "Give the times in UTC, as RFC 3339.")
