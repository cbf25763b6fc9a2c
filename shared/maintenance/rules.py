"""Maintenance windows, their changes, and access to the infrastructure: pure rules."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from shared.errors import ConflictError, InvalidInputError
from shared.ids import in_milliseconds, rfc3339
from shared.messages.contracts import Actor
from shared.residency import ZONES, serves
from shared.rows import Stored

type WindowStatus = Literal["planned", "called-off"]

_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=7)
_FARTHEST: Final = timedelta(days=400)
# Clocks of a planner and of the app differ, and an emergency begins now.
_PAST: Final = timedelta(minutes=5)


class MaintenanceWindow(Stored, frozen=True):
    """A maintenance window. Times are UTC; the window includes `starts_at`, and not `ends_at`.

    The window concerns the tenants of `zones`. `emergency` is the reason for a window that is
    announced later than the notice period asks. `version` counts the states that tenants are told
    of, and `reason` is the reason for the last change.
    """

    id: str
    zones: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    work: str
    status: WindowStatus
    version: int
    planned_by: Actor
    planned_at: datetime
    changed_at: datetime
    emergency: str | None = None
    reason: str | None = None


class WindowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a planner asks for. `zones` None is every zone of the stamp."""

    starts_at: datetime
    ends_at: datetime
    work: str
    zones: tuple[str, ...] | None = None
    emergency: str | None = None


class WindowChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a planner asks to change, and why; None leaves as it is."""

    reason: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    work: str | None = None
    zones: tuple[str, ...] | None = None
    emergency: str | None = None


def planned(
    plan: WindowPlan,
    identifier: str,
    actor: Actor,
    *,
    region: str,
    notice: timedelta,
    others: Collection[MaintenanceWindow],
    now: datetime,
) -> MaintenanceWindow:
    """Return the new window of a plan.

    `notice` is how long before the start tenants are told. Raises InvalidInputError for impossible
    times and zones, and for a start within the notice period without an emergency; ConflictError
    for a window that overlaps another of the same zone, unless an emergency cannot wait.
    """
    starts_at, ends_at = _checked(plan.starts_at, plan.ends_at, now)
    window = MaintenanceWindow(
        id=identifier,
        zones=_served(plan.zones, region),
        starts_at=starts_at,
        ends_at=ends_at,
        work=plan.work,
        status="planned",
        version=1,
        planned_by=actor,
        planned_at=now,
        changed_at=now,
        emergency=plan.emergency,
    )
    _require_notice(window, notice, now)
    _require_free(window, others)
    return window


def changed(
    window: MaintenanceWindow,
    change: WindowChange,
    *,
    region: str,
    notice: timedelta,
    others: Collection[MaintenanceWindow],
    now: datetime,
) -> MaintenanceWindow:
    """Return a window after a change, in the next version; the same window without a difference.

    The notice period counts anew for time or zones that the window did not have. Raises the errors
    of `planned`, and ConflictError for a window that is over or called off.
    """
    _require_open(window, now)
    after = msgspec.structs.replace(
        window,
        zones=window.zones if change.zones is None else _served(change.zones, region),
        starts_at=window.starts_at if change.starts_at is None else change.starts_at,
        ends_at=window.ends_at if change.ends_at is None else change.ends_at,
        work=change.work or window.work,
        emergency=change.emergency or window.emergency,
    )
    if (after.starts_at, after.ends_at) != (window.starts_at, window.ends_at):
        has_begun = after.starts_at == window.starts_at <= now
        starts_at, ends_at = _checked(after.starts_at, after.ends_at, now, has_begun=has_begun)
        after = msgspec.structs.replace(after, starts_at=starts_at, ends_at=ends_at)
    if after == window:
        return window
    is_within = (
        window.starts_at <= after.starts_at
        and after.ends_at <= window.ends_at
        and set(after.zones) <= set(window.zones)
    )
    if not is_within:
        _require_notice(after, notice, now)
    _require_free(after, others)
    return msgspec.structs.replace(
        after, version=window.version + 1, reason=change.reason, changed_at=now
    )


def called_off(window: MaintenanceWindow, reason: str, now: datetime) -> MaintenanceWindow:
    """Return a window that is called off, before the start or before the end.

    Raises ConflictError for a window that is over or called off.
    """
    _require_open(window, now)
    return msgspec.structs.replace(
        window, status="called-off", version=window.version + 1, reason=reason, changed_at=now
    )


def access_basis(
    announced: Collection[MaintenanceWindow], incidents: Sequence[str], zone: str, now: datetime
) -> str | None:
    """Return what lets staff reach the infrastructure of a zone now; None where nothing does.

    `announced` are windows whose present version every tenant concerned was told of, and
    `incidents` the ids of incidents of the zone that are under work. The basis is the resource of a
    window or of an incident, for the record of the access.
    """
    for window in sorted(announced, key=lambda one: (one.ends_at, one.id)):
        is_on = window.status == "planned" and window.starts_at <= now < window.ends_at
        if is_on and zone in window.zones:
            return f"maintenance-windows/{window.id}"
    return f"incidents/{min(incidents)}" if incidents else None


def _checked(
    starts_at: datetime, ends_at: datetime, now: datetime, *, has_begun: bool = False
) -> tuple[datetime, datetime]:
    if (starts_at < now - _PAST and not has_begun) or ends_at <= now:
        raise _invalid("The window lies in the past.", "Plan a window that begins from now on.")
    if not starts_at < ends_at:
        raise _invalid("The window ends before its start.", "Send an end after the start.")
    if starts_at - now > _FARTHEST:
        raise _invalid(
            f"The window begins more than {_FARTHEST.days} days from now.", "Plan it later."
        )
    if not _SHORTEST <= ends_at - starts_at <= _LONGEST:
        raise _invalid(
            f"The window is shorter than a minute or longer than {_LONGEST.days} days.",
            "Plan several windows.",
        )
    return in_milliseconds(starts_at.astimezone(UTC)), in_milliseconds(ends_at.astimezone(UTC))


def _served(zones: tuple[str, ...] | None, region: str) -> tuple[str, ...]:
    served = sorted(zone for zone in ZONES if serves(region, zone))
    if zones is None:
        return tuple(served)
    if not zones or not set(zones) <= set(served):
        raise _invalid(
            "The window names no zone, or a zone that the stamp does not serve.",
            f"Name zones among: {', '.join(served)}; or none, for every tenant of the stamp.",
        )
    return tuple(sorted(set(zones)))


def _require_notice(window: MaintenanceWindow, notice: timedelta, now: datetime) -> None:
    if window.emergency is None and window.starts_at - now < notice:
        hours = notice // timedelta(hours=1)
        raise InvalidInputError(
            "maintenance-notice-too-short",
            f"The window begins within {hours} hours: tenants are told {hours} hours ahead.",
            "Plan a later window, or say in `emergency` why the work cannot wait.",
        )


def _require_free(window: MaintenanceWindow, others: Collection[MaintenanceWindow]) -> None:
    if window.emergency is not None:
        return
    for other in others:
        overlaps = window.starts_at < other.ends_at and other.starts_at < window.ends_at
        is_other = other.id != window.id and other.status == "planned"
        if is_other and overlaps and set(window.zones) & set(other.zones):
            raise ConflictError(
                "maintenance-overlaps",
                f"The window overlaps the window {other.id}, from {rfc3339(other.starts_at)} to"
                f" {rfc3339(other.ends_at)}.",
                "Change the other window, or plan another time.",
            )


def _require_open(window: MaintenanceWindow, now: datetime) -> None:
    if window.status == "called-off" or window.ends_at <= now:
        raise ConflictError(
            "maintenance-over",
            "The window is over, or was called off.",
            "Plan another window.",
        )


def _invalid(detail: str, remedy: str) -> InvalidInputError:
    return InvalidInputError("maintenance-window-invalid", detail, remedy)
