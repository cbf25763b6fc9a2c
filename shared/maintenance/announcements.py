"""Announcements: what a tenant is to be told of a window, and when. Pure rules."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from shared.maintenance.rules import MaintenanceWindow
from shared.messages.contracts import MaintenancePlanned
from shared.tenancy.rules import Tenant

type Change = Literal["announced", "changed", "called-off", "reminder"]
type TenantTold = Mapping[tuple[int, str], datetime]
"""When a tenant was told, by the version of the window and the name of the announcement."""

STATE: Final = "state"
"""The name of the announcement of a version; a reminder has the name of `reminder_name`."""

_LOST: Final = "lost"
"""The name of the announcement that the window does not concern the tenant any more."""


def reminder_name(lead: timedelta) -> str:
    """Return the name of the reminder so long before the start."""
    return f"reminder-{int(lead.total_seconds())}"


def due(
    window: MaintenanceWindow,
    tenant: Tenant,
    told: TenantTold,
    leads: Sequence[timedelta],
    now: datetime,
) -> tuple[str, Change] | None:
    """Return the announcement that a tenant is to get now: its name, and the change; or None.

    A tenant that joins before the start is told, and so is a tenant that leaves, until the erasure.
    A tenant that was told nothing is not told that nothing takes place. Of several reminders that
    are due, the latest alone is sent, and none whose time had passed when the tenant was told.
    """
    if tenant.status == "erased" or now >= window.ends_at:
        return None
    knows = _knows(told)
    if tenant.residency_zone not in window.zones:
        return (_LOST, "called-off") if knows else None
    if (window.version, STATE) in told:
        return _reminder(window, told, leads, now) if window.status == "planned" else None
    if window.status == "called-off":
        return (STATE, "called-off") if knows else None
    if knows:
        return STATE, "changed"
    is_late = now >= window.starts_at and tenant.created > window.changed_at
    return None if is_late else (STATE, "announced")


def round_name(window: MaintenanceWindow, leads: Sequence[timedelta], now: datetime) -> str:
    """Name the announcements that are due for a window: another name is another round."""
    passed = [lead for lead in leads if window.starts_at - lead <= now < window.starts_at]
    last = reminder_name(min(passed)) if passed and window.status == "planned" else STATE
    return f"{window.version}|{last}"


def announcement(window: MaintenanceWindow, tenant: Tenant, change: Change) -> MaintenancePlanned:
    """Make the notice to a tenant."""
    return MaintenancePlanned(
        window_id=window.id,
        change=change,
        tenant=tenant.id,
        zone=tenant.residency_zone,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        work=window.work,
        version=window.version,
        emergency=window.emergency,
    )


def announcement_id(window: MaintenanceWindow, tenant: str, name: str) -> str:
    """Return the event id: the same for the same window, version, announcement and tenant."""
    parts = (window.id, str(window.version), name, tenant)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _knows(told: TenantTold) -> bool:
    """Tell whether the last that a tenant was told is that the window concerns the tenant."""
    states = [(version, name) for version, name in told if name in (STATE, _LOST)]
    return bool(states) and max(states)[1] == STATE


def _reminder(
    window: MaintenanceWindow, told: TenantTold, leads: Sequence[timedelta], now: datetime
) -> tuple[str, Change] | None:
    passed = [lead for lead in leads if window.starts_at - lead <= now < window.starts_at]
    if not passed:
        return None
    lead = min(passed)
    name = reminder_name(lead)
    is_news = told[window.version, STATE] < window.starts_at - lead
    return (name, "reminder") if is_news and (window.version, name) not in told else None
