"""Consent grants: what a tenant lets a support engineer do, for what purpose and until when."""

from shared.consents.rules import Grant, Request, find_grant
from shared.consents.service import Consents

__all__ = ["Consents", "Grant", "Request", "find_grant"]
