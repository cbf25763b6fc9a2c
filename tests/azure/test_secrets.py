"""The adapter of Key Vault on a vault of its own, with nothing but the app's settings."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from azure.keyvault.secrets import SecretClient

from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.local.keyvault.clients import Principal


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    directory = tmp_path_factory.mktemp("vault")
    with Stack(directory, processes=["identity", "keyvault"]) as started:
        yield started


@pytest.fixture(scope="module")
def officer(vault):
    principal = Principal(vault, "secrets-officer")
    url = vault.settings["KEY_VAULT_URL"]
    with SecretClient(url, principal, connection_verify=str(vault.authority)) as client:
        yield client


def versions(vault, *names):
    done = subprocess.run(
        [sys.executable, "-m", "tests.azure.read_versions", *names],
        env=vault.settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_versions_in_force_come_oldest_first(vault, officer):
    now = datetime.now(UTC)
    officer.set_secret("key", "first")
    # A version's age is kept in whole seconds.
    time.sleep(1.1)
    officer.set_secret("key", "second")
    disabled = officer.set_secret("key", "disabled", enabled=False).properties
    officer.set_secret("key", "over", expires_on=now - timedelta(seconds=1))
    officer.set_secret("key", "to come", not_before=now + timedelta(days=1))
    at = disabled.updated_on.isoformat()
    expected = {"live": ["first", "second"], "disabled": {disabled.version: at}}
    assert versions(vault, "key") == {"key": expected}


def test_what_is_disabled_is_told_where_nothing_is_in_force(vault, officer):
    disabled = officer.set_secret("off", "value", enabled=False).properties
    at = disabled.updated_on.isoformat()
    expected = {"live": [], "disabled": {disabled.version: at}}
    assert versions(vault, "off") == {"off": expected}


def test_a_secret_that_is_missing_has_no_versions(vault):
    assert versions(vault, "missing") == {"missing": {"live": [], "disabled": {}}}
