"""Maintenance windows: planned by the vendor, announced in time to every tenant concerned.

`access_basis` tells whether staff may reach the infrastructure now. See docs/decisions/0024.
"""

from shared.maintenance.rules import MaintenanceWindow, access_basis
from shared.maintenance.service import Maintenance

__all__ = ["Maintenance", "MaintenanceWindow", "access_basis"]
