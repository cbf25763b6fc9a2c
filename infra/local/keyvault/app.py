"""The vault's HTTP: the route of each operation, with the data action that the caller needs.

https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from infra.local.keyvault import errors, requests
from infra.local.keyvault.bearer import BearerTokens
from infra.local.keyvault.errors import VaultError
from infra.local.keyvault.operations import SecretOperations
from infra.local.keyvault.role_assignments import DataAction, RoleAssignments

# The collections of a vault besides secrets.
NOT_IMPLEMENTED = (
    *("keys", "certificates", "storage", "rng"),
    *("deletedkeys", "deletedcertificates", "deletedstorage"),
)
METHODS = ("GET", "PUT", "PATCH", "POST", "DELETE")

Operation = Callable[[Request], Awaitable[Response]]


def create_app(
    operations: SecretOperations, tokens: BearerTokens, roles: RoleAssignments
) -> Starlette:
    """Build the vault as an ASGI app."""

    def allowed(method: str, path: str, action: DataAction, operation: Operation) -> Route:
        """Build the route of an operation that needs a data action."""

        async def endpoint(request: Request) -> Response:
            requests.check_api_version(request)
            caller = request.user.display_name
            roles.check(caller, tokens.issuer, action, request.url.path)
            return await operation(request)

        return Route(path, endpoint, methods=[method])

    def unauthorized(_: HTTPConnection, error: Exception) -> Response:
        answer = VaultError(401, "Unauthorized", str(error)).response()
        answer.headers["WWW-Authenticate"] = tokens.challenge
        return answer

    do = operations
    return Starlette(
        routes=[
            Route("/healthstatus", _health),
            allowed("GET", "/secrets", DataAction.READ_METADATA, do.list_secrets),
            allowed("GET", "/secrets/", DataAction.READ_METADATA, do.list_secrets),
            allowed("POST", "/secrets/restore", DataAction.RESTORE, do.restore_secret),
            allowed("GET", "/secrets/{name}/versions", DataAction.READ_METADATA, do.list_versions),
            allowed("POST", "/secrets/{name}/backup", DataAction.BACKUP, do.backup_secret),
            allowed("PUT", "/secrets/{name}", DataAction.SET, do.set_secret),
            allowed("DELETE", "/secrets/{name}", DataAction.DELETE, do.delete_secret),
            allowed("GET", "/secrets/{name}", DataAction.GET, do.get_secret),
            # The SDKs ask for the current version with an empty version.
            allowed("GET", "/secrets/{name}/", DataAction.GET, do.get_secret),
            allowed("PATCH", "/secrets/{name}/", DataAction.UPDATE, do.update_secret),
            allowed("GET", "/secrets/{name}/{version}", DataAction.GET, do.get_secret),
            allowed("PATCH", "/secrets/{name}/{version}", DataAction.UPDATE, do.update_secret),
            allowed("GET", "/deletedsecrets", DataAction.READ_METADATA, do.list_deleted_secrets),
            # The SDK for .NET adds the slash, for secrets too.
            allowed("GET", "/deletedsecrets/", DataAction.READ_METADATA, do.list_deleted_secrets),
            allowed(
                "GET",
                "/deletedsecrets/{name}",
                DataAction.READ_METADATA,
                do.get_deleted_secret,
            ),
            allowed("DELETE", "/deletedsecrets/{name}", DataAction.PURGE, do.purge_secret),
            allowed(
                "POST",
                "/deletedsecrets/{name}/recover",
                DataAction.RECOVER,
                do.recover_secret,
            ),
            *(
                Route(f"/{collection}{rest}", _refuse, methods=METHODS)
                for collection in NOT_IMPLEMENTED
                for rest in ("", "/{rest:path}")
            ),
        ],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=tokens, on_error=unauthorized),
        ],
        exception_handlers={VaultError: _vault_error, HTTPException: _no_such_operation},
    )


async def _health(_: Request) -> Response:
    return Response()


async def _refuse(request: Request) -> Response:
    raise errors.not_implemented(f"{request.url.path}; it holds secrets only")


async def _vault_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, VaultError):
        raise error
    return error.response()


async def _no_such_operation(request: Request, error: Exception) -> Response:
    """Refuse an unknown path or method with HTTP's status."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"The local Key Vault stand-in has no operation {request.method} {request.url.path}."
    return VaultError(error.status_code, "BadRequest", message).response()
