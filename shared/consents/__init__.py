"""Consent grants: a tenant's permission for a support engineer, for a purpose, until a time."""

from shared.consents.rules import Grant, Request, find_grant
from shared.consents.service import Consents

__all__ = ["Consents", "Grant", "Request", "find_grant"]
