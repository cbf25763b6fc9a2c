"""A tenant verifies its log: it speaks HTTP only, and trusts nothing but the public keys."""

import asyncio
import base64
import json
import uuid

import pytest

from shared.merkle import (
    AddCheckpoint,
    Edge,
    Tile,
    TlogProof,
    VerifierKey,
    decode_bundle,
    entries_path,
    leaf_hash,
    open_checkpoint,
    verify_consistency,
    verify_inclusion,
)
from tests.journeys.logs import grow
from tests.journeys.portal import Portal
from tests.queues import peeked  # noqa: F401


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "proofs-" + uuid.uuid4().hex[:8]) as portal:
        yield portal


@pytest.fixture(scope="module")
async def keys(portal):
    """The verifier keys of the tenant's log, as everybody may read them."""
    answer = await portal.call("GET", "keys", params={"tenant": portal.tenant})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    return [VerifierKey.parse(key["vkey"]) for key in answer.json()["keys"]]


async def published(portal, keys):
    """A checkpoint of the log as it is now, verified."""
    answer = await portal.mine("POST", "log/checkpoints")
    assert answer.status_code == 201, answer.text
    checkpoint = open_checkpoint(answer.content, keys)
    assert answer.headers["Location"].endswith(f"/log/checkpoints/{checkpoint.size}")
    return checkpoint


async def fetched(portal, path, status=200):
    answer = await portal.mine("GET", f"log/{path}")
    assert answer.status_code == status, answer.text
    return answer


def unpacked(text):
    return base64.b64decode(text)


async def test_a_checkpoint_is_a_signed_note_of_the_tenants_own_log(portal, keys):
    checkpoint = await published(portal, keys)
    assert checkpoint.origin == f"vouchsafe.test/westeurope/api/tenants/{portal.tenant}/log"
    assert all(key.name == checkpoint.origin for key in keys)
    newest = await fetched(portal, "checkpoint")
    assert newest.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert newest.headers["Cache-Control"] == "private, max-age=5"
    assert open_checkpoint(newest.content, keys) == checkpoint
    again = await fetched(portal, f"checkpoints/{checkpoint.size}")
    assert again.content == newest.content


async def test_every_entry_is_re_hashed_to_the_root_of_the_checkpoint(portal, keys):
    await grow(portal, 3)
    checkpoint = await published(portal, keys)
    full, width = divmod(checkpoint.size, 256)
    assert full == 0
    bundle = await fetched(portal, entries_path(0, width))
    assert bundle.headers["Content-Type"] == "application/octet-stream"
    assert bundle.headers["Cache-Control"] == "private, max-age=86400"
    entries = decode_bundle(bundle.content)
    edge, _ = Edge.empty().append([leaf_hash(entry) for entry in entries])
    assert edge.root() == checkpoint.root
    tile = await fetched(portal, Tile(0, 0, width).path)
    assert tile.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert tile.content == edge.levels[0]
    shown = {entry["index"]: entry for entry in await portal.log()}
    for index, entry in enumerate(entries):
        said = json.loads(entry)
        assert said["tenant"] == portal.tenant
        assert (shown[index]["id"], shown[index]["action"]) == (said["id"], said["action"])


async def test_bundles_are_compressed_for_those_who_want_it(portal, keys):
    checkpoint = await published(portal, keys)
    path = f"log/{entries_path(0, checkpoint.size)}"
    plain = await portal.mine("GET", path, headers={"Accept-Encoding": "identity"})
    packed = await portal.mine("GET", path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert {plain.headers["Vary"], packed.headers["Vary"]} == {"Accept-Encoding"}
    assert int(packed.headers["Content-Length"]) < len(plain.content)
    assert packed.content == plain.content


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/000", "tile/0/001", "tile/1/000", "tile/0/000.p/0", "tile/0/000.p/256"),
        *("tile/0/000.p/255", "tile/00/000.p/1", "tile/64/000", "tile/0/0", "tile/0/x000/000.p/1"),
        *("tile/0/000.p/01", "tile/entries/000", "tile/entries/x001/000", "tile/entries/000.p/0"),
        *("tile/data/000", "tile/-1/000", "tile/0/x001/x067"),
    ],
)
async def test_there_is_no_other_tile(portal, path):
    answer = await fetched(portal, path, 404)
    assert answer.json()["type"].endswith(":log-tile-not-found")


async def test_an_entry_is_proved_by_its_index_and_by_its_id(portal, keys):
    await grow(portal, 2)
    newest = (await portal.log())[0]
    answer = await fetched(portal, f"entries/{newest['id']}/proof")
    proved = answer.json()
    assert proved == (await fetched(portal, f"entries/{newest['index']}/proof")).json()
    checkpoint = open_checkpoint(proved["checkpoint"], keys)
    entry = unpacked(proved["entry"])
    assert json.loads(entry)["id"] == newest["id"]
    assert unpacked(proved["leafHash"]) == leaf_hash(entry)
    proof = [unpacked(one) for one in proved["proof"]]
    verify_inclusion(newest["index"], checkpoint.size, leaf_hash(entry), proof, checkpoint.root)


async def test_a_proof_file_stands_alone(portal, keys):
    answer = await portal.mine("GET", "log/entries/0/proof", params={"format": "tlog-proof"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert f'filename="{portal.tenant}-0.tlog-proof"' in answer.headers["Content-Disposition"]
    proof = TlogProof.parse(answer.text)
    assert proof.index == 0
    assert json.loads(proof.extra)["action"] == "tenant.registered"
    assert proof.verify(leaf_hash(proof.extra), keys).size > 0


@pytest.mark.parametrize(
    ("entry", "params"),
    [
        ("999999", {}),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", {}),
        ("0", {"source": "/elsewhere"}),
    ],
)
async def test_an_entry_that_is_not_there_is_not_proved(portal, entry, params):
    answer = await portal.mine("GET", f"log/entries/{entry}/proof", params=params)
    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":log-entry-not-found")


async def test_the_log_only_grows(portal, keys):
    old = await published(portal, keys)
    await grow(portal, 3)
    new = await published(portal, keys)
    assert new.size >= old.size + 3
    params = {"from": str(old.size), "to": str(new.size)}
    proved = (await portal.mine("GET", "log/consistency", params=params)).json()
    assert (proved["from"], proved["to"]) == (old.size, new.size)
    assert unpacked(proved["fromRootHash"]) == old.root
    assert unpacked(proved["toRootHash"]) == new.root
    proof = [unpacked(one) for one in proved["proof"]]
    verify_consistency(old.size, new.size, proof, old.root, new.root)
    still = await fetched(portal, f"checkpoints/{old.size}")
    assert open_checkpoint(still.content, keys) == old


async def test_checkpoints_that_are_made_at_the_same_time_all_agree(portal, keys):
    async def publish():
        await grow(portal, 1)
        return await published(portal, keys)

    made = await asyncio.gather(*(publish() for _ in range(12)))
    newest = open_checkpoint((await fetched(portal, "checkpoint")).content, keys)
    assert newest.size == max(one.size for one in made)
    for one in made:
        params = {"from": str(one.size), "to": str(newest.size)}
        proved = (await portal.mine("GET", "log/consistency", params=params)).json()
        proof = [unpacked(each) for each in proved["proof"]]
        verify_consistency(one.size, newest.size, proof, one.root, newest.root)


async def test_a_witness_gets_the_body_of_its_request(portal, keys):
    old = await published(portal, keys)
    await grow(portal, 1)
    new = await published(portal, keys)
    params = {"from": str(old.size), "format": "witness"}
    answer = await portal.mine("GET", "log/consistency", params=params)
    request = AddCheckpoint.parse(answer.text)
    assert request.old == old.size
    assert open_checkpoint(request.checkpoint, keys) == new
    verify_consistency(old.size, new.size, request.proof, old.root, new.root)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"from": "x"},
        {"from": "-1"},
        {"from": "1", "to": "0"},
        {"from": "1", "to": "99999999"},
        {"from": "1" * 30},
    ],
    ids=str,
)
async def test_sizes_that_the_log_has_not_had_are_refused(portal, params):
    answer = await portal.mine("GET", "log/consistency", params=params)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":log-size-invalid")


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("log/entries", {"from": "yesterday"}, "filter-invalid"),
        ("log/entries", {"to": "2026-11-23T10:00:00"}, "filter-invalid"),
        ("log/entries", {"outcome": "perhaps"}, "filter-invalid"),
        ("log/entries", {"continuation": "nonsense"}, "continuation-token-invalid"),
        ("log/entries", {"limit": "0"}, "limit-invalid"),
        ("log/entries/0/proof", {"format": "xml"}, "choice-unknown"),
        ("log/consistency", {"from": "0", "format": "xml"}, "choice-unknown"),
        ("log/checkpoints/nonsense", {}, "log-size-invalid"),
        ("log/checkpoints/987654321", {}, "checkpoint-not-found"),
    ],
)
async def test_bad_input_gets_a_clear_answer(portal, path, params, code):
    answer = await portal.mine("GET", path, params=params)
    assert 400 <= answer.status_code < 500
    assert answer.json()["type"].endswith(f":{code}")
