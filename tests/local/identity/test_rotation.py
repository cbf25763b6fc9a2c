"""Rotation of the issuer's signing key, under clients that check tokens.

"Signing key rollover in the Microsoft identity platform" (learn.microsoft.com): keys roll over at
any time, tokens of the previous key stay valid, and an application finds the new key by itself.
"""

import asyncio
import ssl
import time
from collections.abc import Iterator

import httpx
import jwt
import pytest

from infra.local.identity.tokens import MAX_LIFETIME, Issuer
from infra.local.settings import AUDIENCE
from infra.local.stack import Stack
from shared.errors import UnauthenticatedError
from shared.identity import Caller, Tokens

# The wait for the app to fetch keys again; the app fetches every ten seconds at most.
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("rotation")
    with Stack(directory, processes=["identity", "keyvault"]) as started:
        yield started


@pytest.fixture(scope="module")
def client(issuer: Stack) -> Iterator[httpx.Client]:
    url = issuer.info["endpoints"]["token_issuer"]
    with httpx.Client(base_url=url, trust_env=False) as opened:
        yield opened


def minted(client: httpx.Client, scope: str = AUDIENCE) -> str:
    form = {"grant_type": "client_credentials", "client_id": "secrets-user", "scope": scope}
    return client.post("/token", data=form).raise_for_status().json()["access_token"]


def rotated(client: httpx.Client, **overlap: int) -> str:
    answer = client.post("/discovery/keys/rotate", params=overlap)
    return answer.raise_for_status().json()["kid"]


def published(client: httpx.Client) -> list[str]:
    return [key["kid"] for key in client.get("/discovery/keys").json()["keys"]]


def key_of(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


async def accepted(app: Tokens, token: str) -> Caller:
    """Return the caller as soon as the app accepts the token."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await app.caller(f"Bearer {token}")
        except UnauthenticatedError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)


async def test_the_app_takes_a_new_key_up_and_keeps_to_the_old_one(
    issuer: Stack, client: httpx.Client
) -> None:
    app = Tokens(issuer.settings["TOKEN_ISSUER"], issuer.settings["TOKEN_AUDIENCE"])
    old = minted(client)
    assert (await app.caller(f"Bearer {old}")).id == "secrets-user"
    new_key = rotated(client)
    assert published(client) == [new_key, key_of(old)]
    new = minted(client)
    assert key_of(new) == new_key
    assert (await accepted(app, new)).id == "secrets-user"
    assert (await app.caller(f"Bearer {old}")).id == "secrets-user"


async def test_a_key_that_is_withdrawn_at_once_is_not_accepted_beside_the_new_one(
    issuer: Stack, client: httpx.Client
) -> None:
    app = Tokens(issuer.settings["TOKEN_ISSUER"], issuer.settings["TOKEN_AUDIENCE"])
    old = minted(client)
    await app.caller(f"Bearer {old}")
    rotated(client, overlap=0)
    assert key_of(old) not in published(client)
    await accepted(app, minted(client))
    with pytest.raises(UnauthenticatedError):
        await app.caller(f"Bearer {old}")


def test_the_vault_follows(issuer: Stack, client: httpx.Client) -> None:
    url = issuer.settings["KEY_VAULT_URL"]
    resource = "https://" + url.partition("//")[2].partition(".")[2]
    trusted = ssl.create_default_context(cafile=issuer.authority)

    def status(token: str) -> int:
        path, headers = "/secrets?api-version=7.6", {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, verify=trusted, trust_env=False) as vault:
            return vault.get(path, headers=headers).status_code

    old = minted(client, resource)
    assert status(old) == 200
    rotated(client)
    withdrawn = minted(client, resource)
    assert [status(withdrawn), status(old)] == [200, 200]
    rotated(client, overlap=0)
    # Until the next fetch the app continues with the known keys.
    assert status(minted(client, resource)) == 200
    assert [status(withdrawn), status(old)] == [401, 200]


@pytest.mark.parametrize("overlap", ["-1", "soon", str(MAX_LIFETIME + 1)])
def test_an_overlap_that_is_none_is_refused(client: httpx.Client, overlap: str) -> None:
    before = published(client)
    answer = client.post("/discovery/keys/rotate", params={"overlap": overlap})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "overlap" in answer.json()["error_description"]
    assert published(client) == before


def test_an_old_key_is_published_as_long_as_its_tokens_may_live() -> None:
    now = [1_000_000.0]
    issuer = Issuer("http://127.0.0.1:1", AUDIENCE, clock=lambda: now[0])
    token = issuer.mint("ada", lifetime=MAX_LIFETIME)
    latest = issuer.rotate()
    now[0] += MAX_LIFETIME - 1
    assert [key["kid"] for key in issuer.key_set()["keys"]] == [latest, key_of(token)]
    now[0] += 1
    assert [key["kid"] for key in issuer.key_set()["keys"]] == [latest]


def test_published_keys_have_no_private_part(client: httpx.Client) -> None:
    for key in client.get("/discovery/keys").json()["keys"]:
        assert set(key) == {"kty", "use", "alg", "kid", "n", "e", "key_ops"}
        assert key["key_ops"] == ["verify"]
