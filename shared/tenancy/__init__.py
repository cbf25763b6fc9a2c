"""Tenancy: the tenants of a stamp, and the rules of residency."""

from shared.tenancy.listing import TenantListing
from shared.tenancy.rules import Registration, Tenant, TenantChange, check_active
from shared.tenancy.service import Tenants

__all__ = ["Registration", "Tenant", "TenantChange", "TenantListing", "Tenants", "check_active"]
