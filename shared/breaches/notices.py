"""The notice of a breach to one tenant, made of that tenant's finding alone: pure rules.

The sections follow the template of the EDPB for notifications of personal data breaches (adopted on
10 June 2026 for consultation) and the forms of the authorities: the kind of notification, the
controller and the contact points, the times, the nature of the breach, the data and the persons,
the likely consequences, the measures, and the communication to the persons. A processor cannot fill
every field: `to_complete` lists what the tenant adds.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from shared.breaches.rules import Breach, BreachAssessment, BreachKind, kinds_of, tenant_clocks
from shared.breaches.scoping.rules import LogRange, TenantFinding
from shared.breaches.severity import SeverityScore, severity
from shared.messages.contracts import BreachNotified
from shared.rows import Stored

type Phase33 = Literal["initial", "additional"]

MOST_ASSETS: Final = 100
"""The ids of assets that stand in a notice; further ids are on pages."""

# A notice is a column of 32,768 characters: further actions and grants are in the tenant's log.
_MOST_NAMED: Final = 10

_TO_COMPLETE: Final = (
    "controller: name, address and register number",
    "contactPoints: your data protection officer",
    "persons: the categories of data subjects, such as employees or customers",
    "persons: the countries of the data subjects, and a cross-border breach",
    "data: special categories that the files show",
    "times: the time at which you became aware, if earlier than this notice",
    "communication: whether and how you tell the data subjects (Art. 34)",
)
_PROTECTION: Final = (
    "Files and records are encrypted at rest; texts of metadata are encrypted under a key of the"
    " tenant's own. Each access through the service is logged before a byte is handed over."
)


class NoticeTimes(Stored, frozen=True):
    """The times of a breach. `due_at` is the end of the tenant's 72 hours (GDPR Art. 33(1))."""

    vendor_aware_at: datetime
    notified_at: datetime
    due_at: datetime
    began_at: datetime | None = None
    ended_at: datetime | None = None
    first_access_at: datetime | None = None
    last_access_at: datetime | None = None


class NoticeData(Stored, frozen=True):
    """The data of the tenant that are concerned. A number is None where nothing can be told.

    `categories` counts the assets of each category. `assets` has up to 100 ids.
    """

    asset_count: int | None
    assets: tuple[str, ...]
    categories: Mapping[str, int]
    accesses: int
    attempts: int
    disclosures: Mapping[str, int]
    consent_grants: tuple[str, ...]
    protection: str = _PROTECTION


class NoticePersons(Stored, frozen=True):
    """The approximate number of persons; `method` says how they were counted."""

    approximate_number: int | None
    method: str


class NoticeForm(Stored, frozen=True):
    """The form of a notice, in the sections of the authorities' form."""

    notification: Phase33
    reference: str
    is_drill: bool
    controller: str
    contact: str
    times: NoticeTimes
    kinds: tuple[BreachKind, ...]
    is_malicious: bool
    what_happened: str
    data: NoticeData
    persons: NoticePersons
    consequences: str
    measures: str
    severity: SeverityScore
    could_not_be_determined: tuple[str, ...]
    evidence: LogRange | None
    to_complete: tuple[str, ...] = _TO_COMPLETE


class TenantNotice(Stored, frozen=True):
    """A version of the notice of a breach to a tenant. `round` is the round that made it."""

    breach: str
    tenant: str
    version: int
    round: int
    run: int
    made_at: datetime
    first_made_at: datetime
    is_drill: bool
    form: NoticeForm


def make_notice(
    breach: Breach,
    assessment: BreachAssessment,
    finding: TenantFinding,
    assets: Sequence[str],
    earlier: TenantNotice | None,
    now: datetime,
) -> TenantNotice | None:
    """Make the next version of the notice to the finding's tenant; None where nothing is new.

    The 72 hours of the tenant run from its first notice on.
    """
    first = now if earlier is None else earlier.first_made_at
    form = _form(breach, assessment, finding, assets, first, earlier is None, now)
    if earlier is not None and _content(form) == _content(earlier.form):
        return None
    return TenantNotice(
        breach=breach.id,
        tenant=finding.tenant,
        version=1 if earlier is None else earlier.version + 1,
        round=breach.notice_round,
        run=finding.run,
        made_at=now,
        first_made_at=first,
        is_drill=breach.is_drill,
        form=form,
    )


def _form(
    breach: Breach,
    assessment: BreachAssessment,
    finding: TenantFinding,
    assets: Sequence[str],
    first_made_at: datetime,
    is_first: bool,
    now: datetime,
) -> NoticeForm:
    (clock,) = tenant_clocks(first_made_at, now)
    is_blind = finding.affected == "undetermined"
    return NoticeForm(
        notification="initial" if is_first else "additional",
        reference=breach.id,
        is_drill=breach.is_drill,
        controller=finding.tenant,
        contact=breach.contact or "",
        times=NoticeTimes(
            vendor_aware_at=breach.aware_at,
            notified_at=now,
            due_at=clock.due_at or now,
            began_at=assessment.began_at,
            ended_at=assessment.ended_at,
            first_access_at=finding.first_at,
            last_access_at=finding.last_at,
        ),
        kinds=kinds_of(assessment.factors),
        is_malicious=assessment.factors.is_malicious,
        what_happened=assessment.what_happened,
        data=NoticeData(
            asset_count=None if is_blind else finding.assets,
            assets=tuple(assets[:MOST_ASSETS]),
            categories=finding.categories,
            accesses=finding.entries,
            attempts=finding.attempts,
            disclosures=dict(list(finding.disclosures.items())[:_MOST_NAMED]),
            consent_grants=finding.grants[:_MOST_NAMED],
        ),
        persons=NoticePersons(approximate_number=finding.persons, method=_method(finding)),
        consequences=assessment.consequences,
        measures=assessment.measures,
        severity=severity(assessment.factors, finding.persons),
        could_not_be_determined=finding.unknown,
        evidence=finding.log,
    )


def _method(finding: TenantFinding) -> str:
    counted = "estimated from" if finding.is_estimate else "counted as"
    return (
        f"{counted} the distinct names and e-mail addresses in the metadata of the files; persons"
        " who are shown and not named do not count, and persons of one name count once"
    )


def _content(form: NoticeForm) -> NoticeForm:
    """Return a form without what changes by itself: the time, the phase, the newest evidence."""
    times = msgspec.structs.replace(form.times, notified_at=form.times.vendor_aware_at)
    return msgspec.structs.replace(form, times=times, notification="initial", evidence=None)


def notice_message(notice: TenantNotice, incident: str) -> BreachNotified:
    """Make the message that has the tenant's contacts told of a version of a notice."""
    form, data = notice.form, notice.form.data
    return BreachNotified(
        tenant=notice.tenant,
        incident_id=incident,
        breach_id=notice.breach,
        version=notice.version,
        is_drill=notice.is_drill,
        began_at=form.times.began_at,
        ended_at=form.times.ended_at,
        aware_at=form.times.vendor_aware_at,
        notified_at=notice.made_at,
        what_happened=form.what_happened,
        categories=tuple(data.categories),
        asset_count=data.asset_count,
        person_count=form.persons.approximate_number,
        assets=tuple(f"assets/{one}" for one in data.assets),
        consequences=form.consequences,
        measures=form.measures,
        contact=form.contact,
        tenant_deadline=form.times.due_at,
        reference=notice.breach,
        unknown=" ".join(form.could_not_be_determined)[:4000] or None,
    )


def notice_id(notice: TenantNotice) -> str:
    """Return the dedupe key of a notice's message: the same for the same version and tenant."""
    return f"{notice.breach}-{notice.tenant}-{notice.version}"
