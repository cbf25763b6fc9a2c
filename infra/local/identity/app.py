"""The issuer's HTTP: discovery, keys, the token endpoint, and the managed identity endpoint."""

import hmac
import time
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.identity.tokens import DEFAULT_LIFETIME, MAX_LIFETIME, Issuer
from infra.local.ports import LOOPBACK

MANAGED_IDENTITY = "vouchsafe-app"
MANAGED_IDENTITY_API_VERSION = "2019-08-01"
# With these parameters a caller of the managed identity endpoint names a user-assigned identity.
USER_ASSIGNED = ("client_id", "principal_id", "mi_res_id")
FORM_TYPE = "application/x-www-form-urlencoded"

# RFC 6749 section 5.1: no cache may store a response with a token.
NOT_STORED = {"Cache-Control": "no-store"}


class OAuthError(Exception):
    """A refusal of the token endpoint, with an error code of RFC 6749 section 5.2."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


def create_app(issuer: Issuer, identity_header: str) -> Starlette:
    """Build the issuer as an ASGI app.

    `identity_header` is the secret that a caller of the managed identity endpoint has to show.
    """

    async def discovery(_: Request) -> Response:
        """Answer with the required metadata of OpenID Connect Discovery 1.0, section 3.

        The required authorization endpoint refuses every request by name. The token endpoint is
        listed too.
        """
        return JSONResponse(
            {
                "issuer": issuer.url,
                "authorization_endpoint": f"{issuer.url}/authorize",
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

    async def rotate(request: Request) -> Response:
        """Sign with a new key from now on; the old key stays published for `overlap` seconds."""
        overlap = _seconds("overlap", request.query_params.get("overlap", str(MAX_LIFETIME)))
        if overlap < 0:
            raise OAuthError("invalid_request", "overlap must not be negative.")
        return JSONResponse({"kid": issuer.rotate(overlap)})

    async def authorize(_: Request) -> Response:
        """Refuse sign-in by a person: RFC 6749 section 4.1.2.1, without a redirect."""
        message = "Sign-in by a person is left out; POST to /token with client_credentials."
        raise OAuthError("unsupported_response_type", message)

    async def token(request: Request) -> Response:
        """Issue a token by the client credentials grant (RFC 6749 section 4.4), for any client id.

        `client_id` becomes the principal (`oid`). `roles` (space separated), `tenant` and
        `organisation` become the claims of the same names. `scope` changes the audience,
        `expires_in` the lifetime in seconds. Unknown parameters are ignored as section 3.2 asks,
        also a client secret: every user of this machine may take every identity.
        """
        if "Authorization" in request.headers:
            message = "Clients do not authenticate here; send client_id in the body."
            raise OAuthError("invalid_client", message, status=401)
        form = await _form(request)
        for name in ("grant_type", "client_id"):
            if name not in form:
                raise OAuthError("invalid_request", f"{name} is missing.")
        if form["grant_type"] != "client_credentials":
            raise OAuthError("unsupported_grant_type", "grant_type must be client_credentials.")
        if len(form.get("scope", "").split()) > 1:
            raise OAuthError("invalid_scope", "scope must be one resource.")
        lifetime = _seconds("expires_in", form.get("expires_in", str(DEFAULT_LIFETIME)))
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
        """Issue a token by the App Service contract, as ManagedIdentityCredential expects.

        https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
        """
        shown = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(shown.encode(), identity_header.encode()):
            return _refused(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        if request.query_params.get("api-version") != MANAGED_IDENTITY_API_VERSION:
            return _refused(400, f"api-version must be {MANAGED_IDENTITY_API_VERSION}.")
        chosen = [name for name in USER_ASSIGNED if name in request.query_params]
        if chosen:
            message = f"No user-assigned identity is found here; {chosen[0]} cannot choose one."
            return _refused(400, message)
        resource = request.query_params.get("resource")
        if not resource:
            return _refused(400, "The resource parameter is missing.")
        minted = issuer.mint(MANAGED_IDENTITY, audience=resource, lifetime=MAX_LIFETIME)
        return JSONResponse(
            {
                "access_token": minted,
                "client_id": MANAGED_IDENTITY,
                "expires_on": str(int(time.time()) + MAX_LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
            },
            headers=NOT_STORED,
        )

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/discovery/keys", keys),
            Route("/discovery/keys/rotate", rotate, methods=["POST"]),
            Route("/authorize", authorize, methods=["GET", "POST"]),
            Route("/token", token, methods=["POST"]),
            Route("/msi/token", managed_identity),
        ],
        # DNS rebinding: a page in a browser must not get tokens by giving its own name this
        # address.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])],
        exception_handlers={OAuthError: _oauth_error, HTTPException: _http_error},
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


def _seconds(name: str, text: str) -> int:
    """Parse a number of seconds up to the longest lifetime of a token; raises OAuthError."""
    try:
        seconds = int(text)
    except ValueError:
        message = f"{name} must be a whole number of seconds."
        raise OAuthError("invalid_request", message) from None
    if abs(seconds) > MAX_LIFETIME:
        raise OAuthError("invalid_request", f"{name} must be at most {MAX_LIFETIME} seconds.")
    return seconds


async def _oauth_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, OAuthError):
        raise error
    # RFC 6749 section 5.2: the response to an Authorization header names the scheme.
    challenge = {"WWW-Authenticate": "Basic"} if error.status == 401 else {}
    return JSONResponse(
        {"error": error.code, "error_description": error.description},
        status_code=error.status,
        headers=NOT_STORED | challenge,
    )


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    description = f"The token issuer has no {request.method} {request.url.path}."
    return JSONResponse(
        {"error": "invalid_request", "error_description": description},
        status_code=error.status_code,
        headers=error.headers,
    )


def _refused(status: int, message: str) -> Response:
    return JSONResponse({"statusCode": status, "message": message}, status_code=status)
