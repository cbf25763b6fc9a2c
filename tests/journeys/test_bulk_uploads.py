"""Many files permitted at once, each with an answer of its own, and asked after one by one."""

import asyncio
from pathlib import Path

import pytest
from azure.storage.blob.aio import BlobClient

from tests.journeys.portal import Portal, eventually

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()


def declared(path, **other):
    return {"path": path, "size": len(PHOTO), "mediaType": "image/jpeg"} | other


GOOD = declared("good.jpg")
BAD = {
    "path-invalid": declared("../x"),
    "upload-empty": declared("empty.jpg", size=0),
    "body-invalid": [
        declared("a.jpg", size=-1),
        declared("a.jpg", size="1"),
        declared("a.jpg", mediaType="no type"),
        declared("x" * 1025),
        declared("a.jpg", colour="red"),
        {"path": "a.jpg"},
        "a.jpg",
        None,
        [],
    ],
}
EACH = [
    (code, file)
    for code, files in BAD.items()
    for file in (files if isinstance(files, list) else [files])
]


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "in-bulk") as portal:
        yield portal


async def asked(portal, files, **given):
    return await portal.mine("POST", "uploads", body={"files": files}, **given)


@pytest.mark.parametrize(("code", "bad"), EACH)
async def test_a_bad_file_fails_alone(portal, code, bad):
    answer = await asked(portal, [GOOD, bad, GOOD])
    assert answer.status_code == 207, answer.text
    first, second, third = answer.json()["files"]
    assert (first["status"], third["status"]) == (201, 201)
    assert first["upload"]["id"] != third["upload"]["id"]
    assert second["problem"]["type"] == f"urn:vouchsafe:problem:{code}"
    assert second["status"] == second["problem"]["status"]
    assert second["upload"] is None


@pytest.mark.parametrize("files", [[], [GOOD] * 1001, None, "x", {"0": GOOD}])
async def test_a_list_that_is_none_fails_whole(portal, files):
    answer = await asked(portal, files)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"] == "urn:vouchsafe:problem:body-invalid"


async def test_a_file_that_names_a_member_twice_fails_the_request(portal):
    twice = b'{"files": [{"path": "a", "path": "b", "size": 1, "mediaType": "a/b"}]}'
    path = f"tenants/{portal.tenant}/uploads"
    answer = await portal.send("POST", path, content=twice)
    assert answer.status_code == 400, answer.text


async def test_a_thousand_files_are_permitted_logged_and_repeatable(portal):
    files = [declared(f"thousand/{number}.jpg") for number in range(1000)]
    key = {"Idempotency-Key": "a-thousand"}
    first, again = [(await asked(portal, files, headers=key)).json()["files"] for _ in range(2)]
    assert [one["upload"]["path"] for one in first] == [file["path"] for file in files]
    ids = [one["upload"]["id"] for one in first]
    assert ids == [one["upload"]["id"] for one in again]
    assert len(set(ids)) == 1000
    log = [e["resource"] for e in await portal.log() if e["action"] == "upload.permitted"]
    assert {log.count(f"uploads/{one}") for one in ids[::100]} == {2}
    assert {f"uploads/{one}" for one in ids} <= set(log)


async def test_a_list_with_a_character_that_no_text_has_is_refused_as_a_list(portal):
    body = rb'{"files": [{"path": "\ud800", "size": 1, "mediaType": "image/jpeg"}]}'
    answer = await portal.send("POST", f"tenants/{portal.tenant}/uploads", content=body)
    assert answer.status_code == 400, answer.text
    assert "surrogate" in answer.json()["detail"] or "escape" in answer.json()["detail"]
    assert "unknown field" not in answer.json()["detail"]


async def test_a_request_sent_again_after_the_filing_names_no_upload(portal):
    files, key = [declared("again/1.jpg"), declared("again/2.jpg")], {"Idempotency-Key": "again"}
    first, second = (await asked(portal, files, headers=key)).json()["files"]
    async with BlobClient.from_blob_url(first["upload"]["url"]) as blob:
        await blob.upload_blob(PHOTO)
    path = f"uploads/{first['upload']['id']}"
    await eventually(
        lambda: portal.mine("GET", path), lambda found: found.json()["state"] == "filed"
    )
    finished, open_still = (await asked(portal, files, headers=key)).json()["files"]
    assert finished["status"] == 409
    assert finished["problem"]["type"] == "urn:vouchsafe:problem:upload-finished"
    assert open_still["upload"]["id"] == second["upload"]["id"]


async def test_each_upload_tells_where_it_is(portal):
    answer = await asked(portal, [declared("where/1.jpg"), declared("where/2.jpg")])
    uploads = [one["upload"] for one in answer.json()["files"]]

    async def state(upload):
        return (await portal.mine("GET", f"uploads/{upload['id']}")).json()

    permitted = await asyncio.gather(*map(state, uploads))
    assert [one["state"] for one in permitted] == ["permitted"] * 2
    async with BlobClient.from_blob_url(uploads[0]["url"]) as blob:
        await blob.upload_blob(PHOTO)
    filed = await eventually(lambda: state(uploads[0]), lambda found: found["state"] == "filed")
    assert filed["asset"] == uploads[0]["id"]
    assert (await state(uploads[1]))["state"] == "permitted"
