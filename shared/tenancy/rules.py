"""Registration and change of tenants: pure rules."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from shared.catalogue import MAX_TENANT_ID, TENANT_ID
from shared.errors import ConflictError, InvalidInputError
from shared.plain_text import PLAIN_PATTERN
from shared.residency import ZONES, serves
from shared.rows import Stored

type TenantStatus = Literal["active", "leaving", "erased"]
# RFC 5321 section 4.5.3.1.3: a path of 256 octets, two angle brackets included.
type ContactAddress = Annotated[
    str, Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+$(?!\n)")
]
type ContactAddresses = Annotated[tuple[ContactAddress, ...], Meta(max_length=20)]
type DisplayName = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN_PATTERN)]


class Registration(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The vendor's registration of a new tenant. `contacts` are the addresses for notices."""

    id: str
    display_name: DisplayName
    residency_zone: str
    contacts: ContactAddresses = ()


class Tenant(Stored, frozen=True):
    """A registered tenant."""

    id: str
    display_name: str
    residency_zone: str
    status: TenantStatus
    created: datetime
    contacts: tuple[str, ...] = ()


class TenantChange(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The vendor's change of a tenant; a member that is left out stays unchanged."""

    display_name: DisplayName | None = None
    contacts: ContactAddresses | None = None
    status: TenantStatus | None = None


def is_tenant_id(text: str) -> bool:
    """Tell whether `text` has the form of a tenant id."""
    return TENANT_ID.fullmatch(text) is not None


def check_tenant_id(text: str) -> None:
    """Raise InvalidInputError unless `text` has the form of a tenant id."""
    if not is_tenant_id(text):
        raise InvalidInputError(
            "tenant-id-invalid",
            "The tenant id does not have the form of one.",
            f"Use 2 to {MAX_TENANT_ID} lower-case letters, digits and single hyphens, with a "
            "letter or digit at both ends.",
        )


def check_residency(zone: str, region: str) -> None:
    """Hold a tenant to its zone. Raises InvalidInputError where `region` does not serve it."""
    if not serves(region, zone):
        regions = ZONES[zone].regions if zone in ZONES else ()
        raise InvalidInputError(
            "residency-zone-not-served",
            f"This stamp is in {region}, which does not serve the tenant's residency zone.",
            f"Use a stamp in: {', '.join(sorted(regions)) or 'no region there is'}.",
        )


def check_active(tenant: Tenant) -> None:
    """Let a tenant upload files. Raises ConflictError for a leaving tenant."""
    if tenant.status != "active":
        raise ConflictError(
            "tenant-not-active",
            "The tenant is leaving, or has left: nothing more can be uploaded.",
            "Ask the vendor if that is not so.",
        )


def register(
    existing: Tenant | None, registration: Registration, region: str, now: datetime
) -> Tenant:
    """Return the tenant to keep: a new tenant, or the existing tenant of the same registration.

    Raises InvalidInputError for an impossible id or zone, or a zone that the stamp's region does
    not serve, and ConflictError where another tenant has the id.
    """
    check_tenant_id(registration.id)
    if registration.residency_zone not in ZONES:
        raise InvalidInputError(
            "residency-zone-unknown",
            "There is no such residency zone.",
            f"Use one of: {', '.join(sorted(ZONES))}.",
        )
    check_residency(registration.residency_zone, region)
    new = Tenant(
        id=registration.id,
        display_name=registration.display_name,
        residency_zone=registration.residency_zone,
        contacts=registration.contacts,
        status="active",
        created=now,
    )
    if existing is None:
        return new
    if existing != msgspec.structs.replace(new, created=existing.created):
        raise ConflictError(
            "tenant-exists",
            "The tenant id is taken, by a tenant with other data.",
            "Choose another id, or change the tenant that there is.",
        )
    return existing


# An erasure erases a tenant, and a change does not. A leaving tenant does not come back: the tenant
# may have lost data.
_TRANSITIONS: Final = {("active", "leaving")}


def change(tenant: Tenant, changed: TenantChange) -> Tenant:
    """Return the tenant after a change; the same tenant without a difference.

    Raises ConflictError for an impossible change of status.
    """
    status = changed.status or tenant.status
    if status != tenant.status and (tenant.status, status) not in _TRANSITIONS:
        raise ConflictError(
            "tenant-status-final",
            f"A tenant that is {tenant.status} does not become {status}.",
            "An active tenant can become leaving, and nothing else.",
        )
    return msgspec.structs.replace(
        tenant,
        status=status,
        display_name=changed.display_name or tenant.display_name,
        contacts=tenant.contacts if changed.contacts is None else changed.contacts,
    )
