"""The issuer's HTTP: discovery, keys, the token endpoint, and the managed identity endpoint."""

import hmac
import time
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.identity.tokens import DEFAULT_LIFETIME, Issuer

MANAGED_IDENTITY = "vouchsafe-app"
MANAGED_IDENTITY_LIFETIME = 24 * 3600
MANAGED_IDENTITY_API_VERSION = "2019-08-01"
FORM_TYPE = "application/x-www-form-urlencoded"

# RFC 6749 section 5.1: no answer that carries a token may be stored.
NOT_STORED = {"Cache-Control": "no-store"}


class OAuthError(Exception):
    """A refusal of the token endpoint, with one of the codes of RFC 6749 section 5.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def create_app(issuer: Issuer, identity_header: str) -> Starlette:
    """The issuer as an ASGI app.

    `identity_header` is the secret that a caller of the managed identity endpoint has to show.
    """

    async def discovery(_: Request) -> Response:
        """OpenID Connect Discovery 1.0, section 4, as far as a resource server reads it."""
        return JSONResponse(
            {
                "issuer": issuer.url,
                "token_endpoint": f"{issuer.url}/token",
                "jwks_uri": f"{issuer.url}/discovery/keys",
                "response_types_supported": ["token"],
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["none"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def keys(_: Request) -> Response:
        return JSONResponse(issuer.key_set())

    async def token(request: Request) -> Response:
        """The client credentials grant (RFC 6749 section 4.4), for whoever the client says it is.

        `client_id` becomes the principal (`oid`). `roles` (space separated), `tenant` and
        `organisation` become the claims of the same names; `scope` changes the audience,
        `expires_in` the lifetime in seconds.
        """
        form = await _form(request)
        for name in ("grant_type", "client_id"):
            if name not in form:
                raise OAuthError("invalid_request", f"{name} is missing.")
        if form["grant_type"] != "client_credentials":
            raise OAuthError("unsupported_grant_type", "grant_type must be client_credentials.")
        lifetime = _lifetime(form.get("expires_in", str(DEFAULT_LIFETIME)))
        claims = {name: form[name] for name in ("tenant", "organisation") if form.get(name)}
        minted = issuer.mint(
            form["client_id"],
            audience=form.get("scope", "").removesuffix("/.default") or None,
            lifetime=lifetime,
            claims={"roles": form.get("roles", "").split(), **claims},
        )
        return JSONResponse(
            {"access_token": minted, "token_type": "Bearer", "expires_in": lifetime},
            headers=NOT_STORED,
        )

    async def managed_identity(request: Request) -> Response:
        """The App Service contract, which ManagedIdentityCredential speaks.

        https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
        """
        shown = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(shown.encode(), identity_header.encode()):
            return _refused(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        if request.query_params.get("api-version") != MANAGED_IDENTITY_API_VERSION:
            return _refused(400, f"api-version must be {MANAGED_IDENTITY_API_VERSION}.")
        resource = request.query_params.get("resource")
        if not resource:
            return _refused(400, "The resource parameter is missing.")
        minted = issuer.mint(
            MANAGED_IDENTITY, audience=resource, lifetime=MANAGED_IDENTITY_LIFETIME
        )
        return JSONResponse(
            {
                "access_token": minted,
                "client_id": MANAGED_IDENTITY,
                "expires_on": str(int(time.time()) + MANAGED_IDENTITY_LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
            },
            headers=NOT_STORED,
        )

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/discovery/keys", keys),
            Route("/token", token, methods=["POST"]),
            Route("/msi/token", managed_identity),
        ],
        exception_handlers={OAuthError: _oauth_error},
    )


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM_TYPE:
        raise OAuthError("invalid_request", f"The body must be {FORM_TYPE}.")
    try:
        body = (await request.body()).decode("ascii")
        fields = parse_qs(body, strict_parsing=True, errors="strict")
    except ValueError:
        raise OAuthError("invalid_request", f"The body is not {FORM_TYPE}.") from None
    repeated = [name for name, values in fields.items() if len(values) > 1]
    if repeated:
        # RFC 6749 section 3.2: parameters must not be included more than once.
        raise OAuthError("invalid_request", f"Given more than once: {', '.join(repeated)}.")
    return {name: values[0] for name, values in fields.items()}


def _lifetime(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = "expires_in must be a whole number of seconds."
        raise OAuthError("invalid_request", message) from None


async def _oauth_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, OAuthError):
        raise error
    return JSONResponse(
        {"error": error.code, "error_description": error.description},
        status_code=400,
        headers=NOT_STORED,
    )


def _refused(status: int, message: str) -> Response:
    return JSONResponse({"statusCode": status, "message": message}, status_code=status)
