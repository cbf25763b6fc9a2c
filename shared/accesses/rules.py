"""Accesses by support engineers, and their log entries: pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from shared.accesslog.entries import names_person
from shared.assets.rules import Asset
from shared.consents.rules import Grant, Request, find_grant
from shared.identity.rules import VENDOR_SUPPORT, Caller
from shared.messages.contracts import AccessRecorded

# The longest life of a link; a link never outlives the grant.
LINK_LIFETIME = timedelta(minutes=5)
# The reason for denying an attempt whose purpose or ticket looks like an e-mail address.
PERSON_NAMED = "person-named"
# The reasons why an allowed attempt fails: the bytes are gone, or storage does not answer.
GONE = "asset-gone"
UNREADABLE = "storage-unavailable"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A caller's request for an asset."""

    tenant: str
    asset: str
    operation: str
    purpose: str
    ticket: str
    client_address: str | None


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """The grant that allows an attempt, or None, and the log entry of the attempt."""

    grant: Grant | None
    entry: AccessRecorded


def decide(
    attempt: Attempt, caller: Caller, asset: Asset | None, grants: Iterable[Grant], now: datetime
) -> AccessDecision:
    """Allow `attempt` under a live grant, or give the reason of the denial.

    A missing asset is denied like an asset that no grant covers, so that the denial reveals no
    existence; a grant for every path alone tells that there is no such asset. Only cleared assets
    are handed over. The caller may write any text; where the text names a person, the attempt is
    denied and recorded without the text.
    """
    found: Grant | str
    if VENDOR_SUPPORT not in caller.roles:
        found = "role-missing"
    else:
        request = Request(
            engineer=caller.id,
            path=asset.path if asset else "",
            operation=attempt.operation,
            purpose=attempt.purpose,
            ticket=attempt.ticket,
        )
        found = find_grant(grants, request, now)
        if asset is None and isinstance(found, Grant):
            found = "asset-not-found"
    if isinstance(found, Grant) and asset is not None and asset.verdict != "clean":
        found = "asset-quarantined"
    purpose, ticket = _nameless(attempt.purpose), _nameless(attempt.ticket)
    if None in (purpose, ticket):
        found = PERSON_NAMED
    allowed = found if isinstance(found, Grant) else None
    entry = AccessRecorded(
        tenant=attempt.tenant,
        actor=caller.actor({VENDOR_SUPPORT}),
        action=f"asset.{attempt.operation}",
        resource=f"assets/{_nameless(attempt.asset) or 'unnamed'}",
        outcome="allowed" if allowed else "denied",
        purpose=purpose,
        ticket=ticket,
        grant_id=allowed.id if allowed else None,
        reason=None if isinstance(found, Grant) else found,
        client_address=attempt.client_address,
    )
    return AccessDecision(allowed, entry)


def failed(allowed: AccessRecorded, reason: str) -> AccessRecorded:
    """Make the entry of an allowed attempt without bytes to hand over."""
    return msgspec.structs.replace(allowed, outcome="failed", reason=reason)


def _nameless(text: str) -> str | None:
    return None if names_person(text) else text


def link_expiry(grant: Grant, now: datetime) -> datetime:
    """Return the expiry of a link under `grant`."""
    limit = now + LINK_LIFETIME
    return limit if grant.expires_at is None else min(limit, grant.expires_at)
