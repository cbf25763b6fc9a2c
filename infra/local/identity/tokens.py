"""Minting access tokens as Entra ID does: RS256, with its claims and some of our own."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
DEFAULT_LIFETIME = 3600


class Issuer:
    """An issuer with a signing key of its own, made when it starts and never stored.

    `url` is its identifier (`iss`), `audience` what tokens are for unless asked otherwise.
    """

    def __init__(self, url: str, audience: str) -> None:
        self.url = url
        self.audience = audience
        self._key_id = uuid.uuid4().hex
        self._key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)

    def mint(
        self,
        principal: str,
        *,
        audience: str | None = None,
        lifetime: int = DEFAULT_LIFETIME,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """A signed token for `principal` that is valid for `lifetime` seconds from now.

        A negative lifetime makes one that has expired, for trying how that is refused. The claims
        are those of Entra ID's access tokens:
        https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
        """
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": audience or self.audience,
            "iat": now,
            "nbf": min(now, now + lifetime),
            "exp": now + lifetime,
            "oid": principal,
            "sub": principal,
            "azp": principal,
            "ver": "2.0",
            "jti": uuid.uuid4().hex,
            **(claims or {}),
        }
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._key_id})

    def key_set(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self._key_id, "use": "sig", "alg": "RS256"}]}
