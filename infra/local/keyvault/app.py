"""The vault's HTTP: get, set and list secrets, as the Key Vault REST reference says.

https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups
"""

import json
import re
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.keyvault.bearer import BearerTokens
from infra.local.keyvault.store import SecretStore, Version

SECRET_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
VALUE_BYTES = 25 * 1024


class VaultError(Exception):
    """A refusal with the status and code that Key Vault answers with."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def create_app(store: SecretStore, tokens: BearerTokens, vault_url: str) -> Starlette:
    """The vault as an ASGI app, reached by its clients at `vault_url`."""

    async def get_secret(request: Request) -> Response:
        _check_api_version(request)
        name, version = request.path_params["name"], request.path_params.get("version", "")
        found = store.find(name, version)
        if found is None:
            sought = f"{name}/{version}" if version else name
            message = f"A secret with (name/id) {sought} was not found in this key vault."
            raise VaultError(404, "SecretNotFound", message)
        if not found["attributes"]["enabled"]:
            message = "Operation get is not allowed on a disabled secret."
            raise VaultError(403, "Forbidden", message)
        return JSONResponse(_bundle(name, found))

    async def set_secret(request: Request) -> Response:
        _check_api_version(request)
        name = request.path_params["name"]
        if not SECRET_NAME.fullmatch(name):
            raise VaultError(400, "BadParameter", f"The request URI has an invalid name: {name}")
        body = await _object(request)
        value = body.get("value")
        if not isinstance(value, str) or len(value.encode()) > VALUE_BYTES:
            message = f"Property value is missing, no string, or above {VALUE_BYTES} bytes."
            raise VaultError(400, "BadParameter", message)
        made = store.add(
            name,
            value,
            content_type=body.get("contentType"),
            tags=body.get("tags"),
            enabled=body.get("attributes", {}).get("enabled", True),
        )
        return JSONResponse(_bundle(name, made))

    async def list_secrets(request: Request) -> Response:
        _check_api_version(request)
        current = ((name, store.versions(name)[-1]) for name in store.names())
        return _page(_item(name, version, with_version=False) for name, version in current)

    async def list_versions(request: Request) -> Response:
        _check_api_version(request)
        name = request.path_params["name"]
        return _page(_item(name, version, with_version=True) for version in store.versions(name))

    async def health(_: Request) -> Response:
        return Response()

    def _item(name: str, version: Version, *, with_version: bool) -> dict[str, Any]:
        """A secret as listings show it: without its value."""
        suffix = f"/{version['version']}" if with_version else ""
        shown = {key: version[key] for key in version.keys() - {"version", "value"}}
        return {"id": f"{vault_url}/secrets/{name}{suffix}", **shown}

    def _bundle(name: str, version: Version) -> dict[str, Any]:
        return {"value": version["value"], **_item(name, version, with_version=True)}

    def unauthorized(_: HTTPConnection, error: Exception) -> Response:
        answer = _error(401, "Unauthorized", str(error))
        answer.headers["WWW-Authenticate"] = tokens.challenge
        return answer

    return Starlette(
        routes=[
            Route("/healthstatus", health),
            Route("/secrets", list_secrets),
            Route("/secrets/", list_secrets),
            Route("/secrets/{name}/versions", list_versions),
            Route("/secrets/{name}", set_secret, methods=["PUT"]),
            Route("/secrets/{name}", get_secret),
            # The SDKs ask for the current version with an empty one.
            Route("/secrets/{name}/", get_secret),
            Route("/secrets/{name}/{version}", get_secret),
        ],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=tokens, on_error=unauthorized),
        ],
        exception_handlers={VaultError: _vault_error, HTTPException: _no_such_operation},
    )


def _check_api_version(request: Request) -> None:
    if not request.query_params.get("api-version"):
        raise VaultError(400, "BadParameter", "api-version must be specified")


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise VaultError(400, "BadParameter", "The request body is not JSON.") from None
    if not isinstance(body, dict) or not isinstance(body.get("attributes", {}), dict):
        raise VaultError(400, "BadParameter", "The request body is not a secret.")
    return body


def _page(items: Any) -> Response:
    return JSONResponse({"value": list(items), "nextLink": None})


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


async def _vault_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, VaultError):
        raise error
    return _error(error.status, error.code, error.message)


async def _no_such_operation(_: Request, error: Exception) -> Response:
    """What this stand-in leaves out is refused in Key Vault's words, as 404 or 405."""
    if not isinstance(error, HTTPException):
        raise error
    return _error(error.status_code, "BadRequest", f"No such operation here: {error.detail}")
