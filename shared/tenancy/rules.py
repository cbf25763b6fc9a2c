"""Which tenants a stamp may take: pure rules."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from shared.errors import ConflictError, InvalidInputError
from shared.rows import Stored

# Which regions serve which residency zone. `eu` is the EU/EEA, where GDPR chapter V sees no
# transfer to a third country; `de` is for tenants whose own law or contract says Germany.
# Where each region lies: "Azure geographies", learn.microsoft.com.
ZONES: Final[Mapping[str, frozenset[str]]] = {
    "us": frozenset({"eastus"}),
    "eu": frozenset({"westeurope", "germanywestcentral"}),
    "de": frozenset({"germanywestcentral"}),
    "au": frozenset({"australiaeast"}),
}

# A tenant's container is `tenant-{id}`, and a container's name is at most 63 characters of
# lower-case letters, digits and single hyphens ("Naming and referencing containers, blobs, and
# metadata", learn.microsoft.com).
_TENANT_ID = re.compile(r"[a-z0-9](?:-?[a-z0-9]){1,55}")
_MAX_TENANT_ID = 56


class Registration(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What the vendor says of a new tenant."""

    id: str
    display_name: Annotated[str, Meta(min_length=1, max_length=200)]
    residency_zone: str


class Tenant(Stored, frozen=True):
    """A registered tenant."""

    id: str
    display_name: str
    residency_zone: str
    status: Literal["active", "leaving", "erased"]
    created: datetime


def is_tenant_id(text: str) -> bool:
    """Whether `text` has the form of a tenant id."""
    return len(text) <= _MAX_TENANT_ID and _TENANT_ID.fullmatch(text) is not None


def container_of(tenant: str) -> str:
    """The container that holds a tenant's cleared assets."""
    return f"tenant-{tenant}"


def register(
    existing: Tenant | None, registration: Registration, region: str, now: datetime
) -> Tenant:
    """The tenant to keep: a new one, or the existing one if it is the same registration.

    Raises InvalidInputError for an id or zone that cannot be, or a zone that this stamp's region
    does not serve, and ConflictError where the id is another tenant's.
    """
    if not is_tenant_id(registration.id):
        raise InvalidInputError(
            "tenant-id-invalid",
            "The tenant id does not have the form of one.",
            f"Use 2 to {_MAX_TENANT_ID} lower-case letters, digits and single hyphens, with a "
            "letter or digit at both ends.",
        )
    regions = ZONES.get(registration.residency_zone)
    if regions is None:
        raise InvalidInputError(
            "residency-zone-unknown",
            "There is no such residency zone.",
            f"Use one of: {', '.join(sorted(ZONES))}.",
        )
    if region not in regions:
        raise InvalidInputError(
            "residency-zone-not-served",
            f"This stamp is in {region}, which does not serve that residency zone.",
            f"Register the tenant with a stamp in: {', '.join(sorted(regions))}.",
        )
    if existing is None:
        return Tenant(
            id=registration.id,
            display_name=registration.display_name,
            residency_zone=registration.residency_zone,
            status="active",
            created=now,
        )
    same = (existing.display_name, existing.residency_zone) == (
        registration.display_name,
        registration.residency_zone,
    )
    if not same:
        raise ConflictError(
            "tenant-exists",
            "The tenant id is taken, by a tenant with another name or zone.",
            "Choose another id.",
        )
    return existing
