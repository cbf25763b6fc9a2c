"""Notices and their deliveries: who gets what, when, and how often. Pure rules."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from shared.errors import ConflictError
from shared.ids import derived_id
from shared.messages.contracts import (
    AccessAsked,
    AssetInfected,
    BreachNotified,
    BreakGlassUsed,
    ConsentChanged,
    ErasureProgressed,
    ExportReady,
    IncidentEscalated,
    MaintenancePlanned,
    Notice,
    NoticeUndelivered,
    SubprocessorPlanned,
    UploadInfected,
)
from shared.notices.contact_rules import Contact
from shared.rows import Stored

type ChannelName = Literal["mail", "webhook"]
type DeliveryState = Literal[
    "waiting", "handing-over", "delivered", "in-doubt", "refused", "gathered", "drill", "dropped"
]
"""The state of a delivery.

`waiting` for an attempt; `handing-over` while the server has the message and has not answered;
`delivered`; `in-doubt` where the server may have the message; `refused` for good, or tried for
three days; `gathered` into a digest; `drill`: never sent; `dropped`, because the contact is gone.
"""
type DeliveryOutcomeKind = Literal["delivered", "retry", "refused", "gone", "in-doubt"]

MANDATORY: Final = frozenset({"breach", "break-glass"})
"""The kinds that every contact gets, whatever the preferences."""

URGENT: Final = MANDATORY | {"incident"}
"""The kinds that no digest gathers."""

MOST_AT_ONCE: Final = 20
"""The notices of a tenant in a slot of `SLOT` that go out at once; a digest gathers the rest."""
SLOT: Final = timedelta(minutes=10)
# A commit that began within the slot has ended by then.
_GRACE: Final = timedelta(minutes=2)

# From the first attempt on: about three days.
PAUSES: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    *(timedelta(hours=12),) * 5,
)
"""The pauses between the attempts at a delivery; after the last the delivery is given up."""

HANDING_OVER: Final = timedelta(minutes=3)
"""The longest time for which a channel may hand a message over."""

_KINDS: Final[Mapping[type[Notice], str]] = {
    UploadInfected: "upload-infected",
    AssetInfected: "asset-infected",
    AccessAsked: "access-asked",
    BreakGlassUsed: "break-glass",
    ExportReady: "export-ready",
    SubprocessorPlanned: "subprocessor",
    MaintenancePlanned: "maintenance",
    BreachNotified: "breach",
    IncidentEscalated: "incident",
    NoticeUndelivered: "undelivered",
}
KINDS: Final = (
    *sorted(kind for kind in _KINDS.values() if kind != "incident"),
    "consent-granted",
    "consent-lapsed",
    "consent-revoked",
    "consent-used",
    "erasure-awaiting-approval",
    "erasure-completed",
)
"""The kinds of notices to tenants."""


class DeliveryAttempt(Struct, frozen=True, rename="camel"):
    """An attempt at a delivery: the time, and the server's answer as a code."""

    at: datetime
    result: str


class NoticeRecord(Stored, frozen=True):
    """A notice as received. `tenant` is None for a notice to staff of the stamp."""

    id: str
    kind: str
    event: str
    received_at: datetime
    tenant: str | None = None
    is_drill: bool = False
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


class NoticeDelivery(Stored, frozen=True):
    """The delivery of a notice, or of a digest of notices, to a contact.

    `asked` counts the requests to deliver again. `digest` is the id of the digest that gathered the
    notice.
    """

    notice: str
    contact: str
    asked: int
    channel: ChannelName
    state: DeliveryState
    created_at: datetime
    attempts: tuple[DeliveryAttempt, ...] = ()
    due_at: datetime | None = None
    handed_at: datetime | None = None
    ended_at: datetime | None = None
    digest: str | None = None


class DeliveryOutcome(Struct, frozen=True):
    """The result of an attempt. `result` is a code such as `smtp-452` or `http-500`.

    `gone` asks to disable the contact: the receiver wants nothing more.
    """

    kind: DeliveryOutcomeKind
    result: str


class Planned(Struct, frozen=True):
    """The plan for a notice to a contact: at once, or by the digest of a slot that ends `due`."""

    contact: Contact
    state: Literal["waiting", "gathered", "drill"]
    due: datetime | None = None


def kind_of(notice: Notice) -> str:
    """Return the kind of a notice."""
    match notice:
        case ConsentChanged():
            return f"consent-{notice.change}"
        case ErasureProgressed():
            return f"erasure-{notice.step}"
    return _KINDS[type(notice)]


def without_kind(kinds: tuple[str, ...] | None, kind: str) -> tuple[str, ...]:
    """Return the kinds that are left after a contact turned a kind off.

    The link of a digest turns off every kind that can be turned off.
    """
    if kind == "digest":
        return ()
    return tuple(one for one in (KINDS if kinds is None else kinds) if one != kind)


def notice_id(at: datetime, source: str, event: str) -> str:
    """Return the id of the notice of an event: the same for the same event.

    The time part is the event's time, within the span of a ULID.
    """
    return derived_id(max(at, datetime(1970, 1, 1, tzinfo=at.tzinfo)), source, event)


def is_drill(notice: Notice) -> bool:
    """Tell whether a notice belongs to a drill, and so reaches nobody outside."""
    return isinstance(notice, BreachNotified | IncidentEscalated) and notice.is_drill


def slot_of(now: datetime) -> datetime:
    """Return the beginning of the slot of a time."""
    return now - (now - datetime(1970, 1, 1, tzinfo=now.tzinfo)) % SLOT


def planned(
    notice: Notice, contacts: Sequence[Contact], recent: int, now: datetime
) -> Sequence[Planned]:
    """Plan the deliveries of a notice. `recent` counts the tenant's notices of the slot until now.

    A mandatory kind goes to every contact. A notice that says that a contact is not reached does
    not go to that contact.
    """
    kind = kind_of(notice)
    plans = []
    for contact in contacts:
        if not _gets(contact, notice, kind):
            continue
        if is_drill(notice):
            plans.append(Planned(contact, "drill"))
        elif kind in URGENT or contact.channel == "webhook":
            plans.append(Planned(contact, "waiting"))
        elif contact.timing == "daily":
            plans.append(Planned(contact, "gathered", _next_morning(contact, now)))
        elif recent >= MOST_AT_ONCE:
            plans.append(Planned(contact, "gathered", slot_of(now) + SLOT + _GRACE))
        else:
            plans.append(Planned(contact, "waiting"))
    return plans


def _gets(contact: Contact, notice: Notice, kind: str) -> bool:
    if contact.disabled is not None:
        return False
    match notice:
        case IncidentEscalated():
            return bool(set(contact.roles) & set(notice.roles))
        case NoticeUndelivered() if notice.contact_id == contact.id:
            return False
    return kind in MANDATORY or contact.kinds is None or kind in contact.kinds


def _next_morning(contact: Contact, now: datetime) -> datetime:
    """Return the next 07:00 of a contact's time zone, at least the grace away."""
    from zoneinfo import ZoneInfo

    local = (now + _GRACE).astimezone(ZoneInfo(contact.time_zone))
    morning = local.replace(hour=7, minute=0, second=0, microsecond=0)
    if morning <= local:
        # Wall-clock arithmetic: also across a change of summer time it is 07:00.
        morning += timedelta(days=1)
    return morning.astimezone(now.tzinfo)


def after_attempt(
    delivery: NoticeDelivery, outcome: DeliveryOutcome, now: datetime
) -> NoticeDelivery:
    """Return the delivery after an attempt.

    A delivery that failed for a time waits for the next attempt, and is refused after the last
    pause.
    """
    attempts = (*delivery.attempts, DeliveryAttempt(now, outcome.result))
    if outcome.kind == "retry" and len(attempts) <= len(PAUSES):
        due = now + PAUSES[len(attempts) - 1]
        return replace(
            delivery, state="waiting", attempts=attempts, due_at=due, handed_at=None, ended_at=None
        )
    state: DeliveryState = "refused"
    if outcome.kind in {"delivered", "in-doubt"}:
        state = outcome.kind
    return replace(
        delivery, state=state, attempts=attempts, due_at=None, handed_at=None, ended_at=now
    )


def handing_over(delivery: NoticeDelivery, now: datetime) -> NoticeDelivery:
    """Return the delivery at the moment before the server gets the end of the message."""
    return replace(delivery, state="handing-over", handed_at=now)


def asked_again(last: NoticeDelivery, now: datetime) -> NoticeDelivery:
    """Return the delivery that a tenant asks for once more.

    Raises ConflictError for a delivery that is still under way.
    """
    if last.state in ("waiting", "handing-over", "gathered", "drill"):
        raise ConflictError(
            "notice-delivery-open",
            f"The last delivery of the notice to the contact is {last.state}.",
            "Wait for the end of the delivery. A notice of a drill is never sent.",
        )
    return NoticeDelivery(
        notice=last.notice,
        contact=last.contact,
        asked=last.asked + 1,
        channel=last.channel,
        state="waiting",
        created_at=now,
        due_at=now,
    )
