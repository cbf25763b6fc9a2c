"""Which tenants a stamp may take, and how they change."""

from datetime import UTC, datetime

import msgspec
import pytest

from shared.catalogue import UnlistedStoreError, require_container, tenant_container
from shared.errors import ConflictError, InvalidInputError
from shared.residency import ZONES, serves
from shared.settings import REGIONS
from shared.tenancy.rules import (
    ContactAddress,
    ContactAddresses,
    DisplayName,
    Registration,
    TenantChange,
    change,
    check_active,
    check_residency,
    is_tenant_id,
    register,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ACME = Registration(
    id="acme", display_name="Acme", residency_zone="eu", contacts=("dpo@acme.example",)
)
TENANT = register(None, ACME, "westeurope", NOW)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("acme", True),
        ("a1", True),
        ("a-1-b", True),
        ("1" * 56, True),
        ("1" * 57, False),
        ("aa" + "-a" * 27, True),
        ("a" + "-a" * 28, False),
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
    container = tenant_container(text)
    if valid:
        require_container(container)
        assert len(container) <= 63
    else:
        with pytest.raises(UnlistedStoreError):
            require_container(container)


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
    assert serves(region, zone) is served
    if served:
        assert register(None, registration, region, NOW).residency_zone == zone
        check_residency(zone, region)
    else:
        for refuse in (
            lambda: register(None, registration, region, NOW),
            lambda: check_residency(zone, region),
        ):
            with pytest.raises(InvalidInputError) as refused:
                refuse()
            assert refused.value.code == "residency-zone-not-served"


def test_every_zone_has_a_stamp_and_says_why():
    for zone in ZONES.values():
        assert zone.regions
        assert zone.regions <= set(REGIONS)
        assert zone.reason
        assert zone.source


def test_a_zone_that_there_is_not_is_served_by_none():
    assert not any(serves(region, "moon") for region in REGIONS)
    with pytest.raises(InvalidInputError) as refused:
        check_residency("moon", "eastus")
    assert refused.value.code == "residency-zone-not-served"
    with pytest.raises(InvalidInputError) as refused:
        register(None, msgspec.structs.replace(ACME, residency_zone="moon"), "eastus", NOW)
    assert refused.value.code == "residency-zone-unknown"


def test_a_tenant_is_registered_under_a_valid_id_alone():
    with pytest.raises(InvalidInputError) as refused:
        register(None, msgspec.structs.replace(ACME, id="Acme"), "westeurope", NOW)
    assert refused.value.code == "tenant-id-invalid"


def test_the_same_registration_again_is_the_same_tenant():
    assert register(TENANT, ACME, "westeurope", NOW.replace(hour=13)) is TENANT


@pytest.mark.parametrize("other", [{"display_name": "Other"}, {"contacts": ()}])
def test_an_id_is_taken_by_another_registration(other):
    with pytest.raises(ConflictError) as refused:
        register(TENANT, msgspec.structs.replace(ACME, **other), "westeurope", NOW)
    assert refused.value.code == "tenant-exists"


@pytest.mark.parametrize(
    ("contacts", "valid"),
    [
        ([], True),
        (["dpo@acme.example", "dam@acme.example"], True),
        (["dpo"], False),
        (["dpo@acme"], False),
        (["a b@acme.example"], False),
        (["dpo@acme.example\n"], False),
        (["x" * 250 + "@a.example"], False),
        (["a@b.example"] * 21, False),
    ],
)
def test_contacts_are_a_few_addresses(contacts, valid):
    data = {"id": "acme", "displayName": "A", "residencyZone": "eu", "contacts": contacts}
    if valid:
        assert list(msgspec.convert(data, Registration).contacts) == contacts
    else:
        with pytest.raises(msgspec.ValidationError, match="contacts"):
            msgspec.convert(data, Registration)


@pytest.mark.parametrize(
    ("status", "wanted", "allowed"),
    [
        ("active", "active", True),
        ("active", "leaving", True),
        ("active", "erased", False),
        ("leaving", "leaving", True),
        ("leaving", "active", False),
        ("leaving", "erased", False),
        ("erased", "active", False),
        ("erased", "leaving", False),
    ],
)
def test_a_tenant_leaves_and_does_not_come_back(status, wanted, allowed):
    tenant = msgspec.structs.replace(TENANT, status=status)
    if allowed:
        assert change(tenant, TenantChange(status=wanted)).status == wanted
    else:
        with pytest.raises(ConflictError) as refused:
            change(tenant, TenantChange(status=wanted))
        assert refused.value.code == "tenant-status-final"


def test_what_a_change_leaves_out_stays():
    assert change(TENANT, TenantChange()) == TENANT
    changed = change(TENANT, TenantChange(contacts=()))
    assert changed == msgspec.structs.replace(TENANT, contacts=())
    assert change(TENANT, TenantChange(display_name="A")).display_name == "A"


@pytest.mark.parametrize("status", ["leaving", "erased"])
def test_only_an_active_tenant_brings_in_files(status):
    check_active(TENANT)
    with pytest.raises(ConflictError) as refused:
        check_active(msgspec.structs.replace(TENANT, status=status))
    assert refused.value.code == "tenant-not-active"


@pytest.mark.parametrize(
    ("kind", "value", "accepted"),
    [
        (DisplayName, "", False),
        (DisplayName, "a", True),
        (DisplayName, "a" * 200, True),
        (DisplayName, "a" * 201, False),
        (ContactAddress, f"{'a' * 242}@b.example.x", True),
        (ContactAddress, f"{'a' * 243}@b.example.x", False),
        (ContactAddresses, ["a@b.example"] * 20, True),
        (ContactAddresses, ["a@b.example"] * 21, False),
    ],
)
def test_the_limits_of_a_registration(kind, value, accepted):
    if accepted:
        assert len(msgspec.convert(value, kind)) == len(value)
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, kind)


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [("mars", "Use a stamp in: no region there is."), ("de", "germanywestcentral")],
)
def test_a_refused_zone_names_the_regions_that_serve_the_zone(zone, remedy):
    with pytest.raises(InvalidInputError) as refused:
        check_residency(zone, "westeurope")
    assert remedy in refused.value.remedy
    assert ("no region" in refused.value.remedy) == (zone == "mars")
