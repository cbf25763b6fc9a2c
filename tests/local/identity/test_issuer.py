"""The token issuer: tokens that PyJWT accepts, and refusals as in OAuth and App Service."""

import subprocess
import sys
from collections.abc import Iterator

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential

from infra.local.settings import ROOT
from infra.local.stack import Stack

GRANT = {"grant_type": "client_credentials", "client_id": "ada"}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("issuer"), processes=["identity"]) as started:
        yield started


@pytest.fixture(scope="module")
def client(issuer: Stack) -> Iterator[httpx.Client]:
    url = issuer.info["endpoints"]["token_issuer"]
    with httpx.Client(base_url=url, trust_env=False) as opened:
        yield opened


def decode(client: httpx.Client, token: str, audience: str = "api://vouchsafe") -> dict:
    """Decode the claims of a token, checked like the app by the issuer's published metadata."""
    found = client.get("/.well-known/openid-configuration").json()
    key = jwt.PyJWKClient(found["jwks_uri"]).get_signing_key_from_jwt(token)
    return jwt.decode(token, key, ["RS256"], audience=audience, issuer=found["issuer"])


def test_a_token_carries_what_was_asked_for(client: httpx.Client) -> None:
    asked = GRANT | {"roles": "tenant.admin tenant.viewer", "tenant": "acme"}
    answer = client.post("/token", data=asked | {"organisation": "ACME", "expires_in": "60"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 60
    claims = decode(client, answer.json()["access_token"])
    assert claims["oid"] == "ada"
    assert claims["roles"] == ["tenant.admin", "tenant.viewer"]
    assert claims["tenant"] == "acme"
    assert claims["organisation"] == "ACME"
    assert claims["ver"] == "2.0"
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_without_a_tenant_has_no_such_claim(client: httpx.Client) -> None:
    answer = client.post("/token", data=GRANT | {"tenant": ""})
    claims = decode(client, answer.json()["access_token"])
    assert "tenant" not in claims
    assert claims["roles"] == []


def test_scope_changes_the_audience(client: httpx.Client) -> None:
    answer = client.post("/token", data=GRANT | {"scope": "api://other/.default"})
    assert decode(client, answer.json()["access_token"], "api://other")["aud"] == "api://other"


def test_an_expired_token_can_be_had_to_try_its_refusal(client: httpx.Client) -> None:
    token = client.post("/token", data=GRANT | {"expires_in": "-1"}).json()["access_token"]
    with pytest.raises(jwt.ExpiredSignatureError):
        decode(client, token)


@pytest.mark.parametrize(
    ("form", "code", "named"),
    [
        ("grant_type=password&client_id=ada", "unsupported_grant_type", "grant_type"),
        ("client_id=ada", "invalid_request", "grant_type"),
        ("grant_type=client_credentials", "invalid_request", "client_id"),
        ("grant_type=client_credentials&client_id=a&client_id=b", "invalid_request", "client_id"),
        (
            "grant_type=client_credentials&client_id=a&expires_in=soon",
            "invalid_request",
            "expires_in",
        ),
        (
            "grant_type=client_credentials&client_id=a&expires_in=86401",
            "invalid_request",
            "expires_in",
        ),
        ("grant_type=client_credentials&client_id=a&scope=b+c", "invalid_scope", "scope"),
        ("grant_type", "invalid_request", "body"),
        ("", "invalid_request", "grant_type"),
        ("client_id=%FF", "invalid_request", "body"),
    ],
)
def test_a_wrong_request_is_refused_by_name(
    client: httpx.Client, form: str, code: str, named: str
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/token", content=form, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == code
    assert named in answer.json()["error_description"]


def test_discovery_has_every_field_that_is_required(client: httpx.Client) -> None:
    """OpenID Connect Discovery 1.0, sections 3 and 4.2; every named endpoint exists."""
    answer = client.get("/.well-known/openid-configuration")
    assert answer.headers["Content-Type"] == "application/json"
    found = answer.json()
    assert found["issuer"] == str(client.base_url).rstrip("/")
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert found["subject_types_supported"] == ["public"]
    # "Claims with zero elements MUST be omitted from the response."
    assert all(found.values())
    assert found["response_types_supported"]
    assert client.post(found["token_endpoint"], data=GRANT).status_code == 200
    assert client.get(found["jwks_uri"]).json()["keys"]
    refused = client.get(found["authorization_endpoint"], params={"response_type": "code"})
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_response_type")
    assert "Sign-in" in refused.json()["error_description"]


def test_a_client_that_authenticates_is_told_that_it_cannot(client: httpx.Client) -> None:
    """RFC 6749 section 5.2, invalid_client: 401 with the scheme that the client used."""
    answer = client.post("/token", data=GRANT, auth=("ada", "secret"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == "Basic"


def test_a_name_that_leads_here_gets_no_token(client: httpx.Client) -> None:
    """DNS rebinding: a page in a browser gives its own name this machine's address."""
    headers = {"Host": "somewhere.example"}
    assert client.post("/token", data=GRANT, headers=headers).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("GET", "/token"), ("GET", "/no/such/path")])
def test_what_is_not_there_is_refused_as_json(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code in (404, 405)
    assert answer.json()["error"] == "invalid_request"
    assert f"{method} {path}" in answer.json()["error_description"]


def test_a_json_body_is_refused(client: httpx.Client) -> None:
    answer = client.post("/token", json=GRANT)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_the_managed_identity_gets_a_token_for_the_resource(
    issuer: Stack, client: httpx.Client
) -> None:
    answer = client.get(
        issuer.settings["IDENTITY_ENDPOINT"],
        params={"resource": "https://vault.test", "api-version": "2019-08-01"},
        headers={"X-IDENTITY-HEADER": issuer.settings["IDENTITY_HEADER"]},
    )
    assert answer.status_code == 200
    claims = decode(client, answer.json()["access_token"], "https://vault.test")
    assert claims["oid"] == answer.json()["client_id"]
    assert answer.json()["expires_on"] == str(claims["exp"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"header": "wrong"}, 401),
        ({"header": "gęślą"}, 401),
        ({"header": None}, 401),
        ({"api-version": "2017-09-01"}, 400),
        ({"api-version": None}, 400),
        ({"resource": ""}, 400),
        ({"client_id": "another"}, 400),
        ({"principal_id": "another"}, 400),
        ({"mi_res_id": "another"}, 400),
    ],
)
def test_the_managed_identity_endpoint_refuses(
    issuer: Stack, client: httpx.Client, change: dict[str, str | None], status: int
) -> None:
    asked = {
        "header": issuer.settings["IDENTITY_HEADER"],
        "api-version": "2019-08-01",
        "resource": "https://vault.test",
    } | change
    given = {name: value for name, value in asked.items() if value is not None}
    header = given.pop("header", None)
    headers = {} if header is None else {"X-IDENTITY-HEADER": header.encode()}
    answer = client.get(issuer.settings["IDENTITY_ENDPOINT"], params=given, headers=headers)
    assert answer.status_code == status
    assert answer.json()["statusCode"] == status


async def test_azure_identity_gets_tokens_for_the_apps_identity_and_no_other(
    issuer: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Managed identities for App Service: the system-assigned identity is the only identity."""
    for setting in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(setting, issuer.settings[setting])
    scope = "https://vault.test/.default"
    with ManagedIdentityCredential() as credential:
        token = credential.get_token(scope)
    async with AsyncManagedIdentityCredential() as async_credential:
        again = await async_credential.get_token(scope)
    for each in (token, again):
        claims = decode(client, each.token, "https://vault.test")
        assert (claims["oid"], claims["exp"]) == ("vouchsafe-app", each.expires_on)
    with (
        ManagedIdentityCredential(client_id="another") as other,
        pytest.raises(ClientAuthenticationError, match="No user-assigned identity"),
    ):
        other.get_token(scope)


def test_the_keys_are_new_with_each_start(issuer: Stack, client: httpx.Client) -> None:
    old = client.post("/token", data=GRANT).json()["access_token"]
    issuer.kill("identity")
    issuer.start_process("identity")
    with pytest.raises(jwt.PyJWKClientError):
        decode(client, old)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "localhost"])
def test_it_listens_on_loopback_only(address: str) -> None:
    command = ["-m", "infra.local.identity", "--port", "1", "--audience", "a", "--host", address]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "the local stack listens on 127.0.0.1 only" in done.stderr
