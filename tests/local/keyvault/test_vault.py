"""The vault stand-in, through the unmodified SDK and, for refusals, through plain HTTP."""

import base64
import json
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.keyvault.store import SecretStore
from infra.local.settings import ROOT
from infra.local.stack import Stack

CLIENT = Path(__file__).with_name("read_secrets.py")
VERSION = {"api-version": "7.6"}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    processes = ["identity", "keyvault", "datakeys"]
    with Stack(tmp_path_factory.mktemp("vault"), processes=processes) as started:
        yield started


@pytest.fixture
def client(vault: Stack) -> Iterator[httpx.Client]:
    url = vault.settings["KEY_VAULT_URL"]
    trusted = ssl.create_default_context(cafile=vault.authority)
    with httpx.Client(base_url=url, verify=trusted, trust_env=False) as opened:
        yield opened


def bearer(vault: Stack, **changes: str) -> dict[str, str]:
    resource = "https://" + vault.settings["KEY_VAULT_URL"].partition("//")[2].partition(".")[2]
    form = {"grant_type": "client_credentials", "client_id": "secrets-officer", "scope": resource}
    form |= changes
    answer = httpx.post(vault.info["token"]["endpoint"], data=form, trust_env=False)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_the_sdk_reads_secrets_with_nothing_but_the_apps_settings(vault: Stack) -> None:
    """The SDK's checks of the challenge's resource and of the TLS certificate are on."""
    done = subprocess.run(
        [sys.executable, CLIENT], env=vault.settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    read = seen["sync"]
    assert len(base64.b64decode(read["seeded"], validate=True)) == 32
    assert seen["async"]["seeded"] == read["seeded"]
    seeded = ["log-event-hmac", "log-signing-key"]
    assert read["names"] == seeded
    assert read["refused"] == {"code": "ForbiddenByRbac"}
    written = seen["written"]
    assert written["names"] == ["colour"]
    assert written["current"] == "green"
    assert written["first"] == "blue"
    assert written["tags"] == {"a": "b"}
    assert written["versions"] == sorted(written["made"])
    assert written["missing"] == "SecretNotFound"


def test_secrets_outlive_a_crash_of_the_vault(vault: Stack, client: httpx.Client) -> None:
    def value() -> str:
        path = "/secrets/log-event-hmac"
        return client.get(path, params=VERSION, headers=bearer(vault)).json()["value"]

    before = value()
    vault.kill("keyvault")
    vault.start_process("keyvault")
    assert value() == before


def test_a_restart_of_the_issuer_is_noticed(vault: Stack, client: httpx.Client) -> None:
    before = bearer(vault)
    vault.kill("identity")
    vault.start_process("identity")
    assert client.get("/secrets", params=VERSION, headers=bearer(vault)).status_code == 200
    assert client.get("/secrets", params=VERSION, headers=before).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scope": "api://vouchsafe"}, id="for another audience"),
        pytest.param({"expires_in": "-60"}, id="expired"),
    ],
)
def test_a_token_that_is_not_good_is_challenged(
    vault: Stack, client: httpx.Client, changes: dict[str, str]
) -> None:
    answer = client.get("/secrets", params=VERSION, headers=bearer(vault, **changes))
    assert_challenged(vault, answer)


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer", "Bearer nonsense"])
def test_a_request_without_a_token_is_challenged(
    vault: Stack, client: httpx.Client, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert_challenged(vault, client.get("/secrets", params=VERSION, headers=headers))
    assert_challenged(vault, client.get("/no/such/path", headers=headers))


def assert_challenged(vault: Stack, answer: httpx.Response) -> None:
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Unauthorized"
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer authorization="{vault.settings["TOKEN_ISSUER"]}"')
    assert 'resource="https://0.0.1:' in challenge


# A stored half surrogate would break every later listing.
HALF_A_PAIR = r'{"value": "x", "tags": {"a": "\ud800"}}'


def wrong(attributes: str) -> str:
    return f'{{"value": "x", "attributes": {attributes}}}'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/secrets/nothing?api-version=7.6", None, 404, "SecretNotFound"),
        ("GET", "/secrets/colour/deadbeef?api-version=7.6", None, 404, "SecretNotFound"),
        ("GET", "/secrets/log-event-hmac", None, 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6-preview.1", None, 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&maxresults=0", None, 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&maxresults=26", None, 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&maxresults=many", None, 400, "BadParameter"),
        ("GET", f"/secrets?api-version=7.6&maxresults={'9' * 5000}", None, 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&$skiptoken=%25", None, 400, "BadParameter"),
        ("PUT", "/secrets/a_b?api-version=7.6", '{"value": "x"}', 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", "{", 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", "[]", 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", "[" * 100_000, 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", r'{"value": "\ud800"}', 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", HALF_A_PAIR, 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", "{}", 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", '{"value": 7}', 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", '{"value": "x", "kty": 1}', 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", '{"value": "x", "tags": []}', 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", wrong('{"enabled": 1}'), 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", wrong('{"exp": true}'), 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", wrong('{"nbf": "now"}'), 400, "BadParameter"),
        ("PUT", "/secrets/a?api-version=7.6", wrong('{"expires": 1}'), 400, "BadParameter"),
        ("POST", "/secrets/restore?api-version=7.6", '{"value": "x"}', 400, "BadParameter"),
        ("POST", "/secrets/a?api-version=7.6", "{}", 405, "BadRequest"),
        ("DELETE", "/secrets?api-version=7.6", None, 405, "BadRequest"),
        ("GET", "/no/such/path?api-version=7.6", None, 404, "BadRequest"),
        ("GET", "/keys?api-version=7.6", None, 501, "NotImplemented"),
        ("POST", "/certificates/a/create?api-version=7.6", "{}", 501, "NotImplemented"),
        ("GET", "/secrets/a?api-version=7.6&outContentType=pem", None, 400, "BadParameter"),
    ],
)
def test_a_wrong_request_is_refused_in_key_vaults_words(
    vault: Stack,
    client: httpx.Client,
    method: str,
    path: str,
    body: str | None,
    status: int,
    code: str,
) -> None:
    answer = client.request(method, path, content=body, headers=bearer(vault))
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("path", ["/secrets", "/secrets/", "/deletedsecrets", "/deletedsecrets/"])
def test_a_listing_is_had_with_or_without_a_slash(
    vault: Stack, client: httpx.Client, path: str
) -> None:
    """The SDKs of other languages end these paths with a slash, and follow no redirect."""
    answer = client.get(path, params=VERSION, headers=bearer(vault))
    assert answer.status_code == 200
    assert set(answer.json()) == {"value", "nextLink"}


def test_no_write_of_a_refused_request_is_left(vault: Stack, client: httpx.Client) -> None:
    headers = bearer(vault)
    body = {"value": "x", "attributes": {"enabled": "no"}}
    assert client.put("/secrets/no", params=VERSION, json=body, headers=headers).is_client_error
    assert client.get("/secrets/no", params=VERSION, headers=headers).status_code == 404


def test_the_last_page_says_that_it_is(vault: Stack, client: httpx.Client) -> None:
    """Get Secrets: nextLink, and null after the last page."""
    headers = bearer(vault)
    names: list[str] = []
    link: str | None = "/secrets?api-version=7.6&maxresults=1"
    while link is not None:
        page = client.get(link, headers=headers).raise_for_status().json()
        names += [item["id"].rpartition("/")[2] for item in page["value"]]
        assert len(set(names)) == len(names)
        link = page["nextLink"]
    whole = client.get("/secrets", params=VERSION, headers=headers).json()
    assert whole["nextLink"] is None
    assert names == [item["id"].rpartition("/")[2] for item in whole["value"]]


def test_a_stranger_to_the_stacks_authority_does_not_trust_the_vault(vault: Stack) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(vault.settings["KEY_VAULT_URL"] + "/healthstatus", trust_env=False)


def test_the_secrets_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "store/secrets.json"
    store = SecretStore(path)
    store.add("a", "1")
    store.add("a", "2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = SecretStore(path).get("a")
    assert kept is not None
    assert [version["value"] for version in kept.versions] == ["1", "2"]


def test_a_file_of_before_backups_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"a": [{"version": "v", "value": "1", "attributes": {"enabled": true}}]}')
    kept = SecretStore(path).get("a")
    assert kept is not None
    assert kept.current["value"] == "1"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "localhost"])
def test_it_listens_on_loopback_only(tmp_path: Path, address: str) -> None:
    options = {"--port": "1", "--issuer": "http://127.0.0.1:1", "--store": tmp_path / "secrets"}
    files = {"--certificate": tmp_path / "a.pem", "--private-key": tmp_path / "b.pem"}
    given = [part for option in (options | files).items() for part in option]
    done = subprocess.run(
        [sys.executable, "-m", "infra.local.keyvault", "--host", address, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "the local stack listens on 127.0.0.1 only" in done.stderr
    assert not (tmp_path / "secrets").exists()
