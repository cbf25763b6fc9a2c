"""Checking bearer tokens against the issuer's published keys."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

from shared.errors import UnauthenticatedError, UnavailableError
from shared.identity.rules import Caller, caller_of

if TYPE_CHECKING:
    import aiohttp
    import jwt

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_LEEWAY_SECONDS = 60
_KEEP_SECONDS = 24 * 3600.0
# An unknown key id makes the app read the keys again, at most once in this time.
_REFRESH_SECONDS = 10.0
_TIMEOUT_SECONDS = 10.0


class Tokens:
    """Checks tokens of one issuer for one audience.

    Source: OpenID Connect Discovery 1.0; RFC 7519; RFC 8725 (algorithms are an allow-list).
    """

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._failed_at = float("-inf")
        self._reading = asyncio.Lock()

    async def caller(self, authorization: str | None) -> Caller:
        """The caller that an Authorization header proves.

        Raises UnauthenticatedError with the reason, or UnavailableError when the issuer's keys
        cannot be read.
        """
        import jwt

        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError(
                "token-missing",
                "The request has no bearer token.",
                "Send `Authorization: Bearer <token>` with a token from the token issuer.",
            )
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name] if key.algorithm_name in _ALGORITHMS else [],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise UnauthenticatedError(
                "token-expired", "The token has expired.", "Get a new token and try again."
            ) from error
        except jwt.PyJWTError as error:
            raise UnauthenticatedError(
                "token-invalid",
                f"The token is not valid: {type(error).__name__}.",
                "Get a new token from the token issuer for this service's audience.",
            ) from error
        return caller_of(claims)

    async def _key(self, key_id: object) -> "jwt.PyJWK":
        import jwt

        key = self._kept(key_id)
        if key is None:
            asked_at = time.monotonic()
            async with self._reading:
                if self._failed_at > asked_at:
                    # The failure answers every caller who waited for the same keys.
                    raise UnavailableError("tokenIssuer")
                key = self._kept(key_id)
                if key is None and time.monotonic() - self._read_at > _REFRESH_SECONDS:
                    await self._read_keys()
                    key = self._kept(key_id)
        if key is None:
            raise jwt.InvalidKeyError
        return key

    def _kept(self, key_id: object) -> "jwt.PyJWK | None":
        if time.monotonic() - self._read_at > _KEEP_SECONDS:
            return None
        return self._keys.get(key_id) if isinstance(key_id, str) else None

    async def _read_keys(self) -> None:
        import aiohttp
        import jwt

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
                base = self._issuer.rstrip("/")
                found = await _json(session, f"{base}/.well-known/openid-configuration")
                keys = jwt.PyJWKSet.from_dict(await _json(session, found["jwks_uri"]))
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError, jwt.PyJWTError) as error:
            self._failed_at = time.monotonic()
            raise UnavailableError("tokenIssuer") from error
        self._keys = {key.key_id: key for key in keys.keys if key.key_id}
        self._read_at = time.monotonic()


async def _json(session: "aiohttp.ClientSession", url: str) -> dict[str, Any]:
    async with session.get(url) as response:
        value = await response.json(content_type=None)
    if not isinstance(value, dict):
        raise ValueError(url)  # noqa: TRY004 - a wrong document, not a wrong argument
    return value
