"""Tenants, and the residency zones that say where their data may live."""

from shared.tenancy.rules import Registration, Tenant, TenantChange, check_active
from shared.tenancy.service import Tenants

__all__ = ["Registration", "Tenant", "TenantChange", "Tenants", "check_active"]
