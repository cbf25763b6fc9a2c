"""The regions that may keep the data of a residency zone."""

import pytest

from shared.residency import REGIONS, ZONES, serves

SERVED = {
    "us": {"eastus"},
    "eu": {"westeurope", "germanywestcentral"},
    "de": {"germanywestcentral"},
    "au": {"australiaeast"},
}


@pytest.mark.parametrize("region", [*REGIONS, "moon"])
@pytest.mark.parametrize("zone", [*SERVED, "moon"])
def test_a_region_serves_the_zones_that_contain_the_region(zone, region):
    assert serves(region, zone) is (region in SERVED.get(zone, set()))


def test_the_regions_are_those_of_the_zones():
    assert set(ZONES) == set(SERVED)
    assert REGIONS == ("australiaeast", "eastus", "germanywestcentral", "westeurope")
