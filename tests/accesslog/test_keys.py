"""Which versions of the key sign, and what is kept of them."""

import base64
import json
import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog.proofs.keys import OVERLAP, KeyChangedError, LogKeys, signing
from shared.azure.blobs import AzureBlobs
from shared.errors import UnavailableError
from shared.merkle import SigningKey
from shared.ports import SecretVersion
from tests.compositions import OneSecret, composed
from tests.journeys.portal import eventually
from tests.recorded import recorded

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def versions(*ages):
    return [SecretVersion("value", str(number), NOW - age) for number, age in enumerate(ages)]


@pytest.mark.parametrize(
    ("ages", "signers"),
    [
        ([400 * DAY], ["0"]),
        ([400 * DAY, 0 * DAY], ["1", "0"]),
        ([400 * DAY, OVERLAP - DAY], ["1", "0"]),
        ([400 * DAY, OVERLAP], ["1"]),
        ([400 * DAY, 200 * DAY, DAY], ["2", "1"]),
        ([400 * DAY, 2 * DAY, DAY], ["2", "1", "0"]),
    ],
    ids=str,
)
def test_a_version_goes_on_signing_for_a_time_after_it_has_a_successor(ages, signers):
    assert [one.version for one in signing(versions(*ages), NOW)] == signers


class Vault:
    """A vault with versions of the log's key that no other test has."""

    def __init__(self, count=1):
        self.live = [
            SecretVersion(
                base64.b64encode(os.urandom(32)).decode(),
                uuid.uuid4().hex,
                NOW - DAY * (count - number),
            )
            for number in range(count)
        ]

    async def versions(self, name):
        return self.live

    async def disabled(self, name):
        return {}


@pytest.fixture
async def adapter(stack):
    blobs = AzureBlobs(stack.info["connection_strings"]["storage"])
    yield blobs
    await blobs.close()


def public(version):
    raw = SigningKey.of_seed("log", base64.b64decode(version.value)).verifier.public
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


async def test_a_key_that_has_signed_is_known_when_the_vault_has_it_no_more(adapter):
    vault = Vault(2)
    (new, old) = await LogKeys(vault, adapter, lambda: NOW).signers("log")
    gone = vault.live.pop(0)
    keys = LogKeys(vault, adapter, lambda: NOW)
    known = {one.version: one.public for one in await keys.published()}
    assert known[gone.version] == public(gone)
    verifiers = await keys.verifiers("log")
    assert {new.verifier, old.verifier} <= set(verifiers)
    assert [one.verifier for one in await keys.signers("log")] == [new.verifier]


async def test_without_a_version_in_force_nothing_is_signed_and_what_was_is_known(adapter):
    vault = Vault()
    (signer,) = await LogKeys(vault, adapter, lambda: NOW).signers("log")
    vault.live.clear()
    keys = LogKeys(vault, adapter, lambda: NOW)
    assert signer.verifier in await keys.verifiers("log")
    with pytest.raises(UnavailableError):
        await keys.signers("log")


async def test_where_another_key_is_kept_for_a_version_nothing_is_signed(adapter):
    vault, other = Vault(), Vault()
    (own,) = vault.live
    planted = {"version": own.version, "public": public(other.live[0]), "created": str(NOW)}
    name = f"log-keys/{own.version}.json"
    await adapter.write("evidence", name, json.dumps(planted).encode(), "application/json")
    keys = LogKeys(vault, adapter, lambda: NOW)
    with pytest.raises(KeyChangedError) as raised:
        await keys.signers("log")
    assert raised.value.version == own.version
    # The vault tells which it is.
    known = {one.version: one.public for one in await keys.published()}
    assert known[own.version] == public(own)


async def test_a_key_that_was_changed_is_one_incident_however_often_it_is_told(stack):
    version = uuid.uuid4().hex
    async with composed(stack.settings, OneSecret()) as app:
        for _ in range(2):
            await app.log_watch.report_changed_key(version)

    async def opened():
        return [one for one in await recorded(stack) if one["resource"] == f"keys/{version}"]

    (incident,) = await eventually(opened, bool)
    assert incident["kind"] == "log.integrity"
    assert version in incident["summary"]
