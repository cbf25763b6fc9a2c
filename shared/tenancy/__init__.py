"""Tenants, and the residency zones that say where their data may live."""

from shared.tenancy.rules import Registration, Tenant
from shared.tenancy.service import Tenants

__all__ = ["Registration", "Tenant", "Tenants"]
