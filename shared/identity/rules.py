"""Callers, roles and reach: pure rules."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from shared.ids import is_id
from shared.messages.contracts import Actor
from shared.plain_text import is_plain

TENANT_ADMIN: Final = "tenant.admin"
TENANT_DAM_MANAGER: Final = "tenant.dam_manager"
TENANT_VIEWER: Final = "tenant.viewer"
VENDOR_SUPPORT: Final = "vendor.support"
VENDOR_IT_SUPERVISOR: Final = "vendor.it_supervisor"
VENDOR_OFFICER: Final = "vendor.officer"
VENDOR_DPO: Final = "vendor.dpo"
VENDOR_SERVICE: Final = "vendor.service"

TENANT_ROLES: Final = frozenset({TENANT_ADMIN, TENANT_DAM_MANAGER, TENANT_VIEWER})
VENDOR_ROLES: Final = frozenset(
    {VENDOR_SUPPORT, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO, VENDOR_SERVICE}
)
ROLES: Final = TENANT_ROLES | VENDOR_ROLES

_MAX_ORGANISATION = 512
_MAX_METHOD = 128
_APPLICATION_METHODS: Final[Mapping[str, str]] = {"1": "client-secret", "2": "client-certificate"}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. `tenant` is set for a tenant's own people alone."""

    id: str
    roles: frozenset[str]
    tenant: str | None
    organisation: str
    authentication_method: str = "bearer"

    def acting_role(self, allowed: Collection[str] = ROLES) -> str:
        """Return the role for the log: the first role, by name, of the roles that `allowed` the
        act.
        """
        return min(self.roles & frozenset(allowed), default=min(self.roles, default="none"))

    def actor(self, allowed: Collection[str] = ROLES) -> Actor:
        """Return the caller as the actor of a log entry, in the role of `acting_role`."""
        return Actor(
            id=self.id,
            role=self.acting_role(allowed),
            organisation=self.organisation,
            authentication_method=self.authentication_method,
        )


ANONYMOUS: Final = Caller("anonymous", frozenset(), None, "none")


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """Return the caller that a valid token's claims describe.

    Claims: `oid` (the directory's object id), `roles`, `tenant` (the DAM tenant, for tenant roles),
    `organisation`, and the claims of `authentication_method`. Foreign roles are ignored. Raises
    UnauthenticatedError for claims of any other form, and for a tenant role without a tenant or
    beside a vendor role.
    """
    identifier, tenant = claims.get("oid"), claims.get("tenant") or None
    given, organisation = claims.get("roles") or [], claims.get("organisation")
    if not isinstance(identifier, str) or not is_id(identifier):
        raise _token_refused("it has no object id (oid) of plain characters")
    if not isinstance(given, list) or not all(isinstance(role, str) for role in given):
        raise _token_refused("its roles are not a list of strings")
    if tenant is not None and not isinstance(tenant, str):
        raise _token_refused("its tenant is not a string")
    roles = ROLES.intersection(given)
    if roles & TENANT_ROLES and (tenant is None or roles & VENDOR_ROLES):
        raise _token_refused("a tenant role needs a tenant, and no vendor role beside it")
    if tenant is not None and roles & VENDOR_ROLES:
        raise _token_refused("a vendor role is not for one tenant")
    if not isinstance(organisation, str) or not organisation or not is_plain(organisation):
        organisation = tenant or "unknown"
    method = authentication_method(claims)
    return Caller(identifier, frozenset(roles), tenant, organisation[:_MAX_ORGANISATION], method)


def authentication_method(claims: Mapping[str, Any]) -> str:
    """Return the caller's proof of identity, as far as the token says: `mfa+pwd`, `client-secret`.

    `amr` lists a person's methods (RFC 8176); `azpacr`, or `appidacr` in tokens of version 1, names
    the method of an application. A token without these claims was at least a bearer token. Source:
    "Access token claims reference", Microsoft identity platform, learn.microsoft.com.
    """
    methods = claims.get("amr")
    if isinstance(methods, list) and methods and all(map(_is_method, methods)):
        return "+".join(sorted(methods))[:_MAX_METHOD]
    application = claims.get("azpacr") or claims.get("appidacr")
    return _APPLICATION_METHODS.get(str(application), "bearer")


def _is_method(method: object) -> bool:
    return isinstance(method, str) and is_plain(method)


def permit(caller: Caller, roles: Collection[str], tenant: str | None) -> None:
    """Let `caller` act with one of `roles`, for `tenant` where the act is on a tenant.

    A tenant's own people learn of no other tenant: NotFoundError, the same as for a missing tenant.
    Raises ForbiddenError for a missing role.
    """
    if tenant is not None and caller.tenant is not None and caller.tenant != tenant:
        raise tenant_not_found()
    if not caller.roles & frozenset(roles):
        raise ForbiddenError(
            "role-missing",
            "The caller has none of the roles that this needs.",
            f"Use a token with one of: {', '.join(sorted(roles))}.",
        )


def tenant_not_found() -> NotFoundError:
    """Make the answer for a tenant that is missing, or not the caller's."""
    return NotFoundError(
        "tenant-not-found",
        "There is no such tenant, or it is not yours.",
        "Check the tenant id in the path against the one in your token.",
    )


def _token_refused(why: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        "token-invalid", f"The token is not valid: {why}.", "Get a new token and try again."
    )
