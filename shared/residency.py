"""Residency: the Azure regions that may keep the data of each residency zone, with sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Zone:
    """A residency zone: the regions of the zone, the reason, and the source of the reason."""

    regions: frozenset[str]
    reason: str
    source: str


# The place of each region: "List of Azure regions", learn.microsoft.com/azure/reliability.
ZONES: Final[Mapping[str, Zone]] = {
    "us": Zone(
        frozenset({"eastus"}),
        "The tenant's contract keeps its data in the United States.",
        "The data-processing agreement with the tenant, annex on the place of processing",
    ),
    "eu": Zone(
        frozenset({"westeurope", "germanywestcentral"}),
        "Within the EU/EEA data is no transfer to a third country.",
        "Regulation (EU) 2016/679 (GDPR), chapter V, Art. 44",
    ),
    "de": Zone(
        frozenset({"germanywestcentral"}),
        "German law or the tenant's contract keeps its data in Germany.",
        "For public bodies section 80(2) SGB X; else the data-processing agreement",
    ),
    "au": Zone(
        frozenset({"australiaeast"}),
        "Disclosure abroad would leave the vendor liable for what the recipient does.",
        "Privacy Act 1988 (Cth), schedule 1, Australian Privacy Principle 8",
    ),
}


REGIONS: Final = tuple(sorted({region for zone in ZONES.values() for region in zone.regions}))
"""The regions of the vendor's stamps: every region that serves a zone."""


def serves(region: str, zone: str) -> bool:
    """Tell whether a stamp in `region` may keep the data of `zone`; never for an unknown zone."""
    return zone in ZONES and region in ZONES[zone].regions
