"""Uploads of one tenant beside another's: who is filed first, and not how long anything takes."""

import asyncio

import httpx
import pytest

from shared.intake.lanes import SHARE
from tests.journeys.portal import Portal, eventually

UPLOADS_AT_ONCE = 16
GZIP = {"x-ms-blob-content-encoding": "gzip"}
PAGES = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": str(2**30)}
# How many, the bytes, the declared size, the headers, and the verdict.
WORTHLESS = {
    "said-to-be-gzip": (40, b"hello", None, GZIP, "clean"),
    "pages": (20, b"", 100, PAGES, "refused"),
    "appends": (20, b"", 100, {"x-ms-blob-type": "AppendBlob"}, "refused"),
    "too-small": (20, b"x", 2**30, {}, "refused"),
}


async def put(portal, count, data=b"some text", headers=None, size=None):
    """Ask for the URLs of many files at once, and upload the files."""
    files = [
        {"path": f"{number:04}.txt", "size": size or len(data), "mediaType": "text/plain"}
        for number in range(count)
    ]
    answer = await portal.mine("POST", "uploads", body={"files": files})
    assert answer.status_code == 207, answer.text
    limit = asyncio.Semaphore(UPLOADS_AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:

        async def one(file):
            async with limit:
                sent = {"x-ms-blob-type": "BlockBlob", **(headers or {})}
                done = await client.put(file["upload"]["url"], content=data, headers=sent)
                assert done.status_code == 201, done.text

        await asyncio.gather(*map(one, answer.json()["files"]))


async def left(blobs, portal):
    incoming = blobs.get_container_client("incoming")
    prefix = f"{portal.tenant}/"
    return sum([1 async for _ in incoming.list_blob_names(name_starts_with=prefix)])


async def all_filed(blobs, portal):
    await eventually(lambda: left(blobs, portal), lambda waiting: waiting == 0)


@pytest.mark.parametrize("heavy", ["aaa-heavy", "zzz-heavy"])
async def test_a_crowd_of_one_tenant_holds_up_no_other_tenant(stack, blobs, heavy):
    crowd = 5 * SHARE
    async with Portal(stack, heavy) as many, Portal(stack, f"beside-{heavy}") as few:
        await put(many, crowd)
        await put(few, 10)
        await all_filed(blobs, few)
        assert await left(blobs, many) > crowd // 3
        assert {asset["verdict"] for asset in await few.assets()} == {"clean"}
        await all_filed(blobs, many)
        assert len(await many.assets()) == crowd


async def test_a_crowd_holds_up_no_other_crowd(stack, blobs):
    async with Portal(stack, "more") as more, Portal(stack, "less") as less:
        await put(more, 6 * SHARE)
        await put(less, SHARE + SHARE // 2)
        await all_filed(blobs, less)
        # In one queue the smaller crowd would come after the last upload of the larger crowd.
        assert await left(blobs, more)
        await all_filed(blobs, more)


@pytest.mark.parametrize("kind", WORTHLESS)
async def test_worthless_uploads_are_filed_fast_and_hold_up_no_other_tenant(stack, kind):
    """Beside, as the refused uploads take no second delivery and no pause."""
    count, data, size, headers, verdict = WORTHLESS[kind]
    async with Portal(stack, f"worthless-{kind}") as many, Portal(stack, f"beside-{kind}") as few:
        await put(many, count, data, headers, size)
        await put(few, 1)
        [beside] = await eventually(few.assets, lambda found: len(found) == 1)
        assert beside["verdict"] == "clean"
        worthless = await eventually(many.assets, lambda found: len(found) == count)
        assert {asset["verdict"] for asset in worthless} == {verdict}
        if verdict == "refused":
            assert {asset["sha256"] for asset in worthless} == {None}
