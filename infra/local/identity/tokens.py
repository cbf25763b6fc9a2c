"""Access tokens like Entra ID's: RS256, with Entra ID's claims and the claims of this app."""

import time
import uuid
from collections.abc import Callable, Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
DEFAULT_LIFETIME = 3600
MAX_LIFETIME = 24 * 3600


class TokenSigningKey:
    """A private key and the key id (`kid`) in its tokens and in its public key."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.private = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)

    @property
    def jwk(self) -> dict[str, object]:
        """The public key as a JSON Web Key (RFC 7517)."""
        key = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**key, "kid": self.id, "use": "sig", "alg": "RS256"}


class Issuer:
    """An issuer with its own signing keys, made at run time and never stored.

    `url` is the issuer's identifier (`iss`), `audience` the default audience of tokens. `clock`
    gives Unix time in seconds.
    """

    def __init__(self, url: str, audience: str, clock: Callable[[], float] = time.time) -> None:
        self.url = url
        self.audience = audience
        self._clock = clock
        self._key = TokenSigningKey()
        self._retired: list[tuple[float, TokenSigningKey]] = []

    def rotate(self, overlap: int = MAX_LIFETIME) -> str:
        """Sign with a new key from now on and return the key's id.

        The old key stays published for `overlap` seconds: by default the longest lifetime of a
        token. An overlap of 0 withdraws the old key at once, as Entra ID does in an emergency.
        https://learn.microsoft.com/entra/identity-platform/signing-key-rollover
        """
        self._retired.append((self._clock() + overlap, self._key))
        self._key = TokenSigningKey()
        return self._key.id

    def mint(
        self,
        principal: str,
        *,
        audience: str | None = None,
        lifetime: int = DEFAULT_LIFETIME,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """Sign a token for `principal`, valid for `lifetime` seconds from now.

        A lifetime is at most `MAX_LIFETIME`. A negative lifetime makes an expired token, for tests
        of a refusal. The claims are the claims of Entra ID's access tokens:
        https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
        """
        now = int(self._clock())
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
        headers = {"kid": self._key.id}
        return jwt.encode(payload, self._key.private, algorithm="RS256", headers=headers)

    def key_set(self) -> dict[str, object]:
        """Return the public keys of possibly valid tokens, as a JSON Web Key Set (RFC 7517)."""
        now = self._clock()
        self._retired = [(until, key) for until, key in self._retired if until > now]
        return {"keys": [key.jwk for key in (self._key, *(key for _, key in self._retired))]}
