"""Which tenants a stamp may take."""

from datetime import UTC, datetime

import msgspec
import pytest

from shared.errors import ConflictError, InvalidInputError
from shared.tenancy.rules import Registration, container_of, is_tenant_id, register

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACME = Registration(id="acme", display_name="Acme", residency_zone="eu")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("acme", True),
        ("a1", True),
        ("a-1-b", True),
        ("1" * 56, True),
        ("1" * 57, False),
        ("a", False),
        ("", False),
        ("-acme", False),
        ("acme-", False),
        ("a--b", False),
        ("Acme", False),
        ("acmé", False),
        ("a_b", False),
        ("a/b", False),
        ("acme\n", False),
        ("１２", False),
    ],
)
def test_tenant_ids_are_valid_as_part_of_a_container_name(text, valid):
    assert is_tenant_id(text) is valid
    if valid:
        assert len(container_of(text)) <= 63


@pytest.mark.parametrize(
    ("zone", "region", "served"),
    [
        ("us", "eastus", True),
        ("us", "westeurope", False),
        ("eu", "westeurope", True),
        ("eu", "germanywestcentral", True),
        ("eu", "eastus", False),
        ("eu", "australiaeast", False),
        ("de", "germanywestcentral", True),
        ("de", "westeurope", False),
        ("au", "australiaeast", True),
        ("au", "eastus", False),
    ],
)
def test_a_stamp_takes_only_tenants_whose_zone_its_region_serves(zone, region, served):
    registration = msgspec.structs.replace(ACME, residency_zone=zone)
    if served:
        assert register(None, registration, region, NOW).residency_zone == zone
    else:
        with pytest.raises(InvalidInputError) as refused:
            register(None, registration, region, NOW)
        assert refused.value.code == "residency-zone-not-served"


def test_an_unknown_zone_is_refused():
    with pytest.raises(InvalidInputError) as refused:
        register(None, msgspec.structs.replace(ACME, residency_zone="moon"), "eastus", NOW)
    assert refused.value.code == "residency-zone-unknown"


def test_the_same_registration_again_is_the_same_tenant():
    tenant = register(None, ACME, "westeurope", NOW)
    assert register(tenant, ACME, "westeurope", NOW.replace(hour=13)) is tenant


def test_an_id_is_taken_by_another_registration():
    tenant = register(None, ACME, "westeurope", NOW)
    other = msgspec.structs.replace(ACME, display_name="Other")
    with pytest.raises(ConflictError) as refused:
        register(tenant, other, "westeurope", NOW)
    assert refused.value.code == "tenant-exists"
