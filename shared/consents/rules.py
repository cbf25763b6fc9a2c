"""Giving, revoking and using a consent grant: pure rules.

Source: GDPR Art. 28(3)(a), a processor acts only on the controller's documented instructions, and
Art. 5(1)(b), purpose limitation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Final, Literal

import msgspec

from shared.accesslog.entries import names_person
from shared.blob_names import canonical_path
from shared.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER
from shared.ids import in_milliseconds, rfc3339
from shared.messages.contracts import AccessRecorded, Actor, ConsentGranted, ConsentRevoked
from shared.rows import Stored

type GrantStatus = Literal["active", "revoked", "expired"]

GRANTING: Final = frozenset({TENANT_ADMIN, TENANT_DAM_MANAGER})
"""The roles that may give and revoke a grant."""


class Grant(Stored, frozen=True):
    """A consent grant. A grant whose revocation came first has no terms."""

    id: str
    tenant: str
    path_prefix: str = ""
    operations: tuple[str, ...] = ()
    purpose: str = ""
    ticket: str = ""
    engineer: str = ""
    granted_by: Actor | None = None
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_by: Actor | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """The grant to keep, and the entry for the tenant's log; neither when nothing changes."""

    grant: Grant
    entry: AccessRecorded | None


@dataclass(frozen=True, slots=True)
class Request:
    """An engineer's request for an operation on a path, with purpose and ticket."""

    engineer: str
    path: str
    operation: str
    purpose: str
    ticket: str


def decide(
    state: Grant | None, command: ConsentGranted | ConsentRevoked, now: datetime
) -> ConsentDecision:
    """Apply `command` to the grant. The same command twice changes nothing.

    A revocation may overtake the grant: the revocation is kept, and the later grant is revoked from
    the start. Raises ForbiddenError for an actor without the role, InvalidInputError for impossible
    terms, ConflictError for a grant id with different terms.
    """
    actor = command.revoked_by if isinstance(command, ConsentRevoked) else command.granted_by
    if actor.role not in GRANTING:
        raise ForbiddenError(
            "role-missing",
            "The role of the one who gives or revokes the grant does not allow that.",
            f"Let the tenant's own people do it: {' or '.join(sorted(GRANTING))}.",
        )
    if isinstance(command, ConsentRevoked):
        return _revoke(state, command, now)
    # At the ends of the calendar a time in another zone has no UTC.
    if not MINYEAR < command.expires_at.year < MAXYEAR:
        raise InvalidInputError(
            "consent-grant-expiry-invalid",
            "The grant ends at a time that cannot be kept.",
            "Give an expiresAt in the future, before the year 9999.",
        )
    terms = Grant(
        id=command.grant_id,
        tenant=command.tenant,
        path_prefix=command.path_prefix,
        operations=tuple(sorted(set(command.operations))),
        purpose=command.purpose,
        ticket=command.ticket,
        engineer=command.engineer,
        granted_by=command.granted_by,
        granted_at=now,
        expires_at=in_milliseconds(command.expires_at),
    )
    if state is not None and state.granted_at is not None:
        if _terms(state) != _terms(terms):
            raise ConflictError(
                "consent-grant-exists",
                "The grant id stands for a grant with other terms.",
                "Use a new id for a new grant.",
            )
        return ConsentDecision(state, None)
    if command.expires_at <= now:
        raise InvalidInputError(
            "consent-grant-expired",
            "The grant ends in the past.",
            "Give an expiresAt in the future.",
        )
    if state is not None:
        grant = msgspec.structs.replace(
            terms, revoked_by=state.revoked_by, revoked_at=state.revoked_at
        )
    else:
        grant = terms
    return ConsentDecision(grant, _entry(grant, command.granted_by, "consent.granted"))


def _revoke(state: Grant | None, command: ConsentRevoked, now: datetime) -> ConsentDecision:
    if state is None:
        state = Grant(id=command.grant_id, tenant=command.tenant)
    if state.revoked_at is not None:
        return ConsentDecision(state, None)
    grant = msgspec.structs.replace(state, revoked_by=command.revoked_by, revoked_at=now)
    return ConsentDecision(grant, _entry(_nameless(grant), command.revoked_by, "consent.revoked"))


def _nameless(grant: Grant) -> Grant:
    """Return the grant without a text that the log would refuse: every grant can be revoked."""
    texts = {"purpose": grant.purpose, "ticket": grant.ticket}
    named = {name: "" for name, text in texts.items() if names_person(text)}
    return msgspec.structs.replace(grant, **named)


def find_grant(grants: Iterable[Grant], request: Request, now: datetime) -> Grant | str:
    """Return the live grant that allows `request`, or the reason of the denial.

    Among several near misses, the reason is the reason of the nearest miss.
    """
    reasons = []
    for grant in grants:
        reason = _why_not(grant, request, now)
        if reason is None:
            return grant
        reasons.append(reason)
    return max(reasons, key=_REASONS.index, default=_REASONS[0])


def is_live(grant: Grant, now: datetime) -> bool:
    """Tell whether a grant can be used at `now`."""
    return grant.revoked_at is None and grant.expires_at is not None and now < grant.expires_at


def status(grant: Grant, now: datetime) -> GrantStatus:
    """Return the status of the grant at `now`."""
    if grant.revoked_at is not None:
        return "revoked"
    return "active" if is_live(grant, now) else "expired"


def grant_not_found() -> NotFoundError:
    """Make the answer for a grant that the tenant does not have."""
    return NotFoundError(
        "consent-grant-not-found",
        "The tenant has no such consent grant.",
        "List the tenant's consent grants to see which there are.",
    )


# From the farthest to the closest miss.
_REASONS = (
    "no-consent-grant",
    "path-not-covered",
    "operation-not-covered",
    "ticket-differs",
    "purpose-differs",
    "consent-grant-expired",
    "consent-grant-revoked",
)


def _why_not(grant: Grant, request: Request, now: datetime) -> str | None:
    checks = (
        (grant.engineer != request.engineer, "no-consent-grant"),
        (not covers(grant.path_prefix, request.path), "path-not-covered"),
        (request.operation not in grant.operations, "operation-not-covered"),
        (grant.ticket != request.ticket, "ticket-differs"),
        (_plain(grant.purpose) != _plain(request.purpose), "purpose-differs"),
        (grant.revoked_at is not None, "consent-grant-revoked"),
        (not is_live(grant, now), "consent-grant-expired"),
    )
    return next((reason for failed, reason in checks if failed), None)


def covers(prefix: str, path: str) -> bool:
    """Tell whether `path` lies under `prefix`, by whole segments: `a/b` does not cover `a/bc`.

    Both are compared in the canonical spelling.
    """
    prefix, path = canonical_path(prefix), canonical_path(path)
    return prefix in ("", path) or path.startswith(prefix.removesuffix("/") + "/")


def _terms(grant: Grant) -> tuple[object, ...]:
    return (
        grant.tenant,
        grant.path_prefix,
        grant.operations,
        grant.purpose,
        grant.ticket,
        grant.engineer,
        rfc3339(grant.expires_at) if grant.expires_at else None,
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _entry(grant: Grant, actor: Actor, action: str) -> AccessRecorded:
    return AccessRecorded(
        tenant=grant.tenant,
        actor=actor,
        action=action,
        resource=f"consent-grants/{grant.id}",
        outcome="allowed",
        purpose=grant.purpose or None,
        ticket=grant.ticket or None,
        grant_id=grant.id,
    )
