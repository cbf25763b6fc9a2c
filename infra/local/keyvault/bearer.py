"""Authentication of callers: tokens that the issuer minted for this vault."""

import asyncio
from urllib.parse import urlsplit

import jwt
from jwt import PyJWKClient
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
)
from starlette.requests import HTTPConnection

# Load balancers probe this path without a token, on the real service as well.
OPEN_PATHS = ("/healthstatus",)


def resource_of(vault_url: str) -> str:
    """Return the resource that the vault's challenge names, the audience of a token for the vault.

    The SDK accepts a challenge only when the vault's host (with its port) ends with a dot and the
    resource's host, as `name.vault.azure.net` does with `vault.azure.net`. The check keeps a token
    from being sent to a stranger, and stays on here. Names like `vault.localhost` do not resolve on
    every machine, but the check compares text: the text after the first dot of `127.0.0.1:8443`
    passes the check, and no client connects to the resource.
    https://devblogs.microsoft.com/azure-sdk/guidance-for-applications-using-the-key-vault-libraries/
    """
    return "https://" + urlsplit(vault_url).netloc.partition(".")[2]


class BearerTokens(AuthenticationBackend):
    """Checks the bearer token of each request against the issuer's published keys."""

    def __init__(self, issuer: str, resource: str) -> None:
        self.issuer = issuer
        self._resource = resource
        # Fetches the keys at first use, and again at once for an unknown key. The issuer makes a
        # new key at each start, and needs no rate limit as Entra ID does.
        self._keys = PyJWKClient(f"{issuer}/discovery/keys", cooldown_duration=0)

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate header: the issuer of tokens, and the resource to ask for.

        https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
        """
        return f'Bearer authorization="{self.issuer}", resource="{self._resource}"'

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Return the caller. Raises AuthenticationError with the fault of the token."""
        if conn.url.path in OPEN_PATHS:
            return None
        scheme, _, token = conn.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AuthenticationError("Request is missing a Bearer or PoP token.")
        try:
            # Fetching keys blocks and must stay off the event loop.
            key = await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._resource,
                issuer=self.issuer,
                options={"require": ["exp", "iat", "oid"]},
            )
        except jwt.PyJWTError as error:
            raise AuthenticationError(f"Error validating token: {error}") from error
        return AuthCredentials(["authenticated"]), SimpleUser(claims["oid"])
