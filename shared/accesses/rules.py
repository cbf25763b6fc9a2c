"""Whether an access is allowed, and what the log says of it: pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from shared.accesslog.entries import names_person
from shared.assets.rules import Asset
from shared.consents.rules import Grant, Request, find_grant
from shared.identity.rules import VENDOR_SUPPORT, Caller
from shared.messages.contracts import AccessRecorded

# A link lives no longer than this, and never longer than its grant.
LINK_LIFETIME = timedelta(minutes=5)
# Why an attempt is denied whose purpose or ticket looks like an e-mail address.
PERSON_NAMED = "person-named"
# Why one fails that was allowed: its bytes have gone, or storage does not answer.
GONE = "asset-gone"
UNREADABLE = "storage-unavailable"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a caller asks for."""

    tenant: str
    asset: str
    operation: str
    purpose: str
    ticket: str
    client_address: str | None


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """The grant that allows an attempt, or None, and the entry that records it."""

    grant: Grant | None
    entry: AccessRecorded


def decide(
    attempt: Attempt, caller: Caller, asset: Asset | None, grants: Iterable[Grant], now: datetime
) -> AccessDecision:
    """Allow `attempt` under a live grant, or say why not.

    An asset that does not exist is denied as one that no grant covers, so that nothing is learned
    of what exists. Only assets that were cleared are handed over. What was asked for may be any
    text; where it names somebody, the attempt is denied and recorded without it.
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
        found = find_grant(grants, request, now) if asset else "asset-not-found"
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
    """The entry of an attempt that was allowed, and that no bytes can be handed over for."""
    return msgspec.structs.replace(allowed, outcome="failed", reason=reason)


def _nameless(text: str) -> str | None:
    return None if names_person(text) else text


def link_expiry(grant: Grant, now: datetime) -> datetime:
    """Until when a link given under `grant` may work."""
    limit = now + LINK_LIFETIME
    return limit if grant.expires_at is None else min(limit, grant.expires_at)
