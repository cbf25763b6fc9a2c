"""The log's signing key is rotated: old checkpoints verify with old keys, new ones carry both."""

import asyncio
import base64
import os
import subprocess
import sys
import time
import uuid

import pytest
from azure.keyvault.secrets import SecretClient

from infra.local.settings import ROOT
from shared.merkle import (
    Checkpoint,
    Note,
    UnknownKeyError,
    VerifierKey,
    open_checkpoint,
    verify_consistency,
)
from tests.journeys.logs import grow
from tests.journeys.portal import Portal
from tests.local.keyvault.clients import Principal

KEY = "log-signing-key"


@pytest.fixture
def officer(stack):
    # A version's age is kept in whole seconds.
    time.sleep(1.1)
    principal = Principal(stack, "secrets-officer")
    url = stack.settings["KEY_VAULT_URL"]
    with SecretClient(url, principal, connection_verify=str(stack.authority)) as client:
        yield client


def published(stack, tenant):
    """The checkpoint that an instance publishes that has only just started."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.accesslog.instance", "publish", tenant],
        cwd=ROOT,
        env=stack.settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def served(portal):
    """The verifier keys that are served, by the versions of the vault's key."""
    answer = await portal.call("GET", "keys", params={"tenant": portal.tenant})
    keys = answer.json()["keys"]
    always = {"kty", "crv", "x", "kid", "use", "alg", "vkey"}
    assert all(one.keys() - {"revoked"} == always for one in keys)
    for one in keys:
        raw = base64.urlsafe_b64decode(one["x"] + "=")
        assert VerifierKey.parse(one["vkey"]).public == raw
    return {one["kid"]: VerifierKey.parse(one["vkey"]) for one in keys}


def signers(note, keys):
    return {key for key, _ in Note.parse(note).verify(keys)}


async def test_a_rotation_from_the_first_overlap_to_the_end_of_the_old_key(stack, officer):
    old_version = officer.get_secret(KEY).properties.version
    async with Portal(stack, "rotation-" + uuid.uuid4().hex[:8]) as portal:
        first = published(stack, portal.tenant)
        old = (await served(portal))[old_version]
        assert open_checkpoint(first, [old]).size == 1

        seed = base64.b64encode(os.urandom(32)).decode()
        new_version = officer.set_secret(KEY, seed).properties.version
        await grow(portal, 1)
        both = published(stack, portal.tenant)
        keys = await served(portal)
        new = keys[new_version]
        assert keys[old_version] == old
        assert signers(both, [old, new]) == {old, new}
        # Whoever knows only one of the two keys verifies it as well.
        assert open_checkpoint(both, [old]) == open_checkpoint(both, [new])
        # An instance that has not heard of the new version leaves what has more signatures.
        assert (await portal.mine("POST", "log/checkpoints")).text == both

        disabled = officer.update_secret_properties(KEY, old_version, enabled=False)
        await grow(portal, 1)
        last = published(stack, portal.tenant)
        assert signers(last, [old, new]) == {new}
        with pytest.raises(UnknownKeyError):
            open_checkpoint(last, [old])
        # The old key is served for what it has signed.
        assert (await served(portal))[old_version] == old
        assert (await portal.mine("GET", "log/checkpoints/1")).text == first
        params = {"from": "1", "to": str(Checkpoint.parse(Note.parse(last).text).size)}
        answer = await portal.mine("GET", "log/consistency", params=params)
        assert answer.status_code == 200
        # It is marked as one that signs no more, once the app has heard of that.
        await restarted(stack)
        keys = (await portal.call("GET", "keys")).json()["keys"]
        revoked = {one["kid"]: one["revoked"] for one in keys if "revoked" in one}
        assert revoked == {old_version: {"revoked_at": int(disabled.updated_on.timestamp())}}


async def restarted(stack):
    """An app that has nothing in its memory."""
    await asyncio.to_thread(stack.kill, "host")
    await asyncio.to_thread(stack.start_process, "host")


async def test_checkpoints_of_several_instances_at_once_are_of_one_log(stack):
    async with Portal(stack, "instances-" + uuid.uuid4().hex[:8]) as portal:

        async def grown():
            await grow(portal, 1)
            return (await portal.mine("POST", "log/checkpoints")).text

        publishing = [asyncio.to_thread(published, stack, portal.tenant) for _ in range(3)]
        notes = await asyncio.gather(*publishing, *(grown() for _ in range(20)))
        keys = list((await served(portal)).values())
        made = [open_checkpoint(note, keys) for note in notes]
        newest = open_checkpoint((await portal.mine("GET", "log/checkpoint")).text, keys)
        assert newest.size == max(one.size for one in made)
        for one in made:
            params = {"from": str(one.size), "to": str(newest.size)}
            proved = (await portal.mine("GET", "log/consistency", params=params)).json()
            proof = [base64.b64decode(each) for each in proved["proof"]]
            verify_consistency(one.size, newest.size, proof, one.root, newest.root)


async def test_every_checkpoint_that_was_published_is_evidence(stack, blobs):
    async with Portal(stack, "evidence-" + uuid.uuid4().hex[:8]) as portal:
        notes = []
        for _ in range(3):
            await grow(portal, 1)
            notes.append((await portal.mine("POST", "log/checkpoints")).text)
        container = blobs.get_container_client("evidence")
        prefix = f"log-checkpoints/{portal.tenant}/"
        names = [blob.name async for blob in container.list_blobs(name_starts_with=prefix)]
        kept = [await (await container.download_blob(name)).readall() for name in names]
        # The newest first.
        assert [note.decode() for note in kept] == notes[::-1]


async def test_where_no_version_is_left_the_keys_are_served_as_revoked(stack, officer):
    """The emergency of a stolen key: nothing is signed, and everybody sees why."""
    async with Portal(stack, "emergency-" + uuid.uuid4().hex[:8]) as portal:
        await portal.mine("POST", "log/checkpoints")
        before = (await portal.call("GET", "keys")).json()["keys"]
        # Other tests on this stack publish keys of their own, which are not of the vault.
        versions = officer.list_properties_of_secret_versions(KEY)
        live = [version.version for version in versions if version.enabled]
        assert live
        for version in live:
            officer.update_secret_properties(KEY, version, enabled=False)
        try:
            await restarted(stack)
            answer = await portal.call("GET", "keys")
            assert answer.status_code == 200
            after = {one["kid"]: one for one in answer.json()["keys"]}
            assert after.keys() == {one["kid"] for one in before}
            assert all(after[version]["revoked"]["revoked_at"] for version in live)
            await grow(portal, 1)
            assert (await portal.mine("POST", "log/checkpoints")).status_code == 503
        finally:
            for version in live:
                officer.update_secret_properties(KEY, version, enabled=True)
            await restarted(stack)
