"""The adapter of Blob Storage, on Azurite: which version is read, copied and deleted."""

import asyncio
import base64
import re
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from aiohttp import ClientSession, web
from azure.storage.blob import StandardBlobTier
from azure.storage.blob.aio import BlobLeaseClient
from yarl import URL

from shared.azure.blobs import CHUNK, AzureBlobs
from shared.azure.tables import AzureTables
from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    InvalidInputError,
    UnavailableError,
)
from shared.ids import new_id
from shared.ports import BlobInfo, Insert, Row

CONTAINER = "adaptertests"
TARGET = "adaptertargets"
BINARY = "application/octet-stream"
MARK = {"asset": "1"}


@pytest.fixture(scope="module")
async def kept(stack):
    """The adapter of the stack's blobs."""
    adapter = AzureBlobs(stack.info["connection_strings"]["storage"])
    await adapter.ensure_container(CONTAINER)
    await adapter.ensure_container(TARGET)
    yield adapter
    await adapter.close()


@pytest.fixture
def name():
    """A name that no other test uses, with what a URL must escape."""
    return f"{new_id(datetime.now(UTC))}/a b#ü%.jpg"


@pytest.fixture
async def written(kept, name):
    """A blob as it was first written."""
    await kept.write(CONTAINER, name, b"first", BINARY)
    return await kept.head(CONTAINER, name)


async def overwrite(blobs, name, data=b"second"):
    """What the adapter itself never does: put other bytes under the name."""
    await blobs.get_blob_client(CONTAINER, name).upload_blob(data, overwrite=True)


async def content(blobs, container, name):
    return await (await blobs.get_blob_client(container, name).download_blob()).readall()


async def read(kept, blob):
    async with kept.read(blob) as chunks:
        return [chunk async for chunk in chunks]


def soon():
    return datetime.now(UTC) + timedelta(minutes=5)


async def test_what_was_written_is_told_and_stays_as_it_is(kept, blobs, name, written):
    assert (written.container, written.name, written.size) == (CONTAINER, name, 5)
    await kept.write(CONTAINER, name, b"another", BINARY)
    assert await content(blobs, CONTAINER, name) == b"first"
    assert (await kept.head(CONTAINER, name)).etag == written.etag


async def test_nothing_is_told_of_what_is_not_there(kept, name):
    assert await kept.head(CONTAINER, name) is None
    assert await kept.head("neverwas", name) is None


@pytest.mark.parametrize("name", [".", "..", "./a", "a/..", "a/./b", "../adaptertargets/a"])
async def test_no_name_leads_to_another_blob(kept, name):
    with pytest.raises(InvalidInputError) as refused:
        await kept.head(CONTAINER, name)
    assert refused.value.code == "blob-name-invalid"


async def test_a_blob_comes_in_chunks_of_four_mebibytes(kept, name):
    data = bytes(CHUNK) + b"1" * CHUNK + b"end"
    await kept.write(CONTAINER, name, data, BINARY)
    chunks = await read(kept, await kept.head(CONTAINER, name))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 3]
    assert b"".join(chunks) == data


async def test_an_empty_blob_is_read_as_nothing(kept, name):
    await kept.write(CONTAINER, name, b"", BINARY)
    assert b"".join(await read(kept, await kept.head(CONTAINER, name))) == b""


async def test_a_range_of_a_blob_is_read(kept, blobs, name, written):
    assert await kept.read_range(written, 1, 3) == b"irs"
    assert await kept.read_range(written, 3, 9) == b"st"
    await overwrite(blobs, name)
    with pytest.raises(BlobChangedError):
        await kept.read_range(written, 1, 3)


async def test_another_version_is_not_read(kept, blobs, name, written):
    await overwrite(blobs, name)
    with pytest.raises(BlobChangedError):
        await read(kept, written)
    await kept.delete(CONTAINER, name)
    with pytest.raises(BlobChangedError):
        await read(kept, written)


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
async def test_a_blob_that_changes_while_it_is_read_is_not_read_on(kept, blobs, name, change):
    await kept.write(CONTAINER, name, bytes(3 * CHUNK), BINARY)
    blob = await kept.head(CONTAINER, name)
    seen = []

    async def read_while_it_changes():
        async with kept.read(blob) as chunks:
            async for chunk in chunks:
                seen.append(chunk)
                if len(seen) > 1:
                    continue
                if change == "deleted":
                    await kept.delete(CONTAINER, name)
                else:
                    await overwrite(blobs, name, b"1" * 3 * CHUNK)

    with pytest.raises(BlobChangedError):
        await read_while_it_changes()
    assert seen == [bytes(CHUNK)]


async def test_a_list_tells_what_a_head_tells(kept, name, written):
    [listed] = [blob async for blob in kept.scan(CONTAINER, name)]
    assert (listed.name, listed.etag, listed.size) == (name, written.etag, written.size)
    assert listed.last_modified == written.last_modified
    assert b"".join(await read(kept, listed)) == b"first"


async def test_a_leased_blob_is_deleted_all_the_same(kept, blobs, name, written):
    await BlobLeaseClient(blobs.get_blob_client(CONTAINER, name)).acquire(-1)
    await kept.delete(CONTAINER, name, '"another"')
    assert await kept.head(CONTAINER, name) is not None
    await kept.delete(CONTAINER, name, written.etag)
    assert await kept.head(CONTAINER, name) is None


async def test_an_archived_blob_is_brought_back(kept, blobs, name, written):
    client = blobs.get_blob_client(CONTAINER, name)
    await client.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    with pytest.raises(BlobArchivedError):
        await read(kept, written)
    with pytest.raises(BlobArchivedError):
        await kept.copy(written, TARGET, name, MARK, BINARY)
    await kept.rehydrate(CONTAINER, name)
    assert b"".join(await read(kept, written)) == b"first"
    await kept.delete(CONTAINER, name)
    await kept.rehydrate(CONTAINER, name)


async def test_a_copy_has_the_bytes_and_its_own_metadata(kept, blobs, name, written):
    assert await kept.copy(written, TARGET, name, MARK, BINARY)
    assert await content(blobs, TARGET, name) == b"first"
    assert (await kept.head(TARGET, name)).metadata == MARK
    assert (await kept.head(CONTAINER, name)).etag == written.etag


async def test_the_same_copy_again_is_done_already(kept, name, written):
    assert await kept.copy(written, TARGET, name, MARK, BINARY)
    first = await kept.head(TARGET, name)
    assert await kept.copy(written, TARGET, name, MARK, BINARY)
    assert (await kept.head(TARGET, name)).etag == first.etag


async def test_a_copy_leaves_a_blob_that_has_its_name(kept, blobs, name, written):
    assert await kept.copy(written, TARGET, name, MARK, BINARY)
    await overwrite(blobs, name)
    other = await kept.head(CONTAINER, name)
    assert not await kept.copy(other, TARGET, name, {"asset": "2"}, BINARY)
    assert await content(blobs, TARGET, name) == b"first"
    assert (await kept.head(TARGET, name)).metadata == MARK


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
async def test_another_version_is_not_copied(kept, blobs, name, written, change):
    if change == "deleted":
        await kept.delete(CONTAINER, name)
    else:
        await overwrite(blobs, name)
    with pytest.raises(BlobChangedError):
        await kept.copy(written, TARGET, name, MARK, BINARY)
    assert await kept.head(TARGET, name) is None


async def test_a_delete_with_a_condition_spares_another_version(kept, blobs, name, written):
    await overwrite(blobs, name)
    await kept.delete(CONTAINER, name, written.etag)
    assert await content(blobs, CONTAINER, name) == b"second"
    await kept.delete(CONTAINER, name, (await kept.head(CONTAINER, name)).etag)
    assert await kept.head(CONTAINER, name) is None


async def test_a_delete_takes_the_snapshots_and_may_come_twice(kept, blobs, name, written):
    client = blobs.get_blob_client(CONTAINER, name)
    await client.create_snapshot()
    await kept.delete(CONTAINER, name)
    container = blobs.get_container_client(CONTAINER)
    left = container.list_blobs(name_starts_with=name, include=["snapshots"])
    assert [blob async for blob in left] == []
    await kept.delete(CONTAINER, name)
    await kept.delete(CONTAINER, name, written.etag)


async def test_an_upload_url_creates_and_does_no_more(kept, blobs, name):
    url = kept.upload_url(CONTAINER, name, soon(), blocks=False)
    headers = {"x-ms-blob-type": "BlockBlob"}
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.put(url, content=b"first", headers=headers)).status_code == 201
        assert (await client.put(url, content=b"second", headers=headers)).status_code == 403
        assert (await client.get(url)).status_code == 403
        assert (await client.delete(url)).status_code == 403
    assert await content(blobs, CONTAINER, name) == b"first"


async def test_a_read_url_reads_under_the_name_it_offers_and_does_no_more(kept, name, written):
    url = kept.read_url(CONTAINER, name, soon(), 'ü "a".jpg')
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
        assert (answer.status_code, answer.content) == (200, b"first")
        offered = answer.headers["Content-Disposition"]
        assert offered == "attachment; filename*=UTF-8''%C3%BC%20%22a%22.jpg"
        headers = {"x-ms-blob-type": "BlockBlob"}
        assert (await client.put(url, content=b"x", headers=headers)).status_code == 403
        assert (await client.delete(url)).status_code == 403
    assert (await kept.head(CONTAINER, name)).etag == written.etag


async def test_a_url_that_has_run_out_or_names_another_blob_opens_nothing(kept, name, written):
    past = datetime.now(UTC) - timedelta(minutes=5)
    await kept.write(CONTAINER, name + "x", b"other", BINARY)
    good = kept.read_url(CONTAINER, name, soon(), "a.jpg")
    foreign = kept.read_url(CONTAINER, name + "x", soon(), "a.jpg").split("?")[0]
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(good)).status_code == 200
        expired = kept.read_url(CONTAINER, name, past, "a.jpg")
        assert (await client.get(expired)).status_code == 403
        assert (await client.get(f"{foreign}?{good.split('?')[1]}")).status_code == 403


async def test_a_failed_copy_is_removed_unless_another_took_its_place(kept, blobs, name, written):
    """Azurite never fails a copy, so the answer that says so is changed on its way here."""
    assert await kept.copy(written, TARGET, name, MARK, BINARY)
    client = kept._service.get_blob_client(TARGET, name)
    properties = client.get_blob_properties

    async def failed(*, overtaken):
        found = await properties()
        found.copy.status = "failed"
        if overtaken:
            await blobs.get_blob_client(TARGET, name).upload_blob(b"good", overwrite=True)
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "get_blob_properties", partial(failed, overtaken=True))
        patched.setattr(kept, "_client", lambda *_: client)
        with pytest.raises(UnavailableError):
            await kept._finish_copy(TARGET, name, BINARY)
        assert await content(blobs, TARGET, name) == b"good"
        patched.setattr(client, "get_blob_properties", partial(failed, overtaken=False))
        with pytest.raises(UnavailableError):
            await kept._finish_copy(TARGET, name, BINARY)
    assert await kept.head(TARGET, name) is None


async def test_a_stream_of_unknown_length_becomes_one_blob_in_blocks(kept, blobs, name):
    parts = [bytes([number]) * (CHUNK // 4 + number) for number in range(10)]

    async def chunks():
        for part in parts:
            yield part

    await kept.write_stream(CONTAINER, name, chunks(), "text/csv; charset=utf-8")
    assert await content(blobs, CONTAINER, name) == b"".join(parts)
    client = blobs.get_blob_client(CONTAINER, name)
    committed, _ = await client.get_block_list()
    assert len(committed) > 1
    assert max(block.size for block in committed) <= CHUNK
    found = await client.get_blob_properties()
    assert found.content_settings.content_type == "text/csv; charset=utf-8"


async def test_a_stream_that_breaks_off_leaves_no_blob(kept, name):
    async def chunks():
        yield b"x" * CHUNK
        raise UnavailableError("storage")

    with pytest.raises(UnavailableError):
        await kept.write_stream(CONTAINER, name, chunks(), BINARY)
    assert await kept.head(CONTAINER, name) is None


@pytest.fixture
async def untagged(stack):
    """The adapter on an account that refuses blob index tags, and how often it did."""
    strings = stack.info["connection_strings"]["storage"]
    real = stack.info["endpoints"]["blob"].rpartition("/")[0]
    refusals = []

    async def relay(request):
        if "x-ms-tags" in request.headers:
            refusals.append(request.path)
            code = "BlobTagsNotSupportedForAccountType"
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
            headers = {"x-ms-error-code": code, "Content-Type": "application/xml"}
            return web.Response(status=400, text=body, headers=headers)
        url = URL(real + request.raw_path, encoded=True)
        body = await request.read()
        async with (
            # The signature is over the headers as they came.
            ClientSession(auto_decompress=False, skip_auto_headers=["Content-Type"]) as session,
            session.request(request.method, url, headers=request.headers, data=body) as answer,
        ):
            hop = {"transfer-encoding", "connection"}
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in hop}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", relay)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    through = f"http://127.0.0.1:{port}"
    adapter = AzureBlobs(strings.replace(f"BlobEndpoint={real}/", f"BlobEndpoint={through}/"))
    yield adapter, refusals
    await adapter.close()
    await runner.cleanup()


async def test_a_copy_carries_tags_where_the_account_has_them(kept, blobs, name, written):
    assert await kept.copy(written, TARGET, name, MARK, BINARY, {"verdict": "clean"})
    assert await blobs.get_blob_client(TARGET, name).get_blob_tags() == {"verdict": "clean"}


async def test_an_account_without_tags_is_asked_once(untagged, blobs, name, written):
    adapter, refusals = untagged
    for place in (f"{name}/1", f"{name}/2"):
        assert await adapter.copy(written, TARGET, place, MARK, BINARY, {"verdict": "clean"})
        assert await content(blobs, TARGET, place) == b"first"
    assert len(refusals) == 1
    assert await adapter.copy(written, TARGET, f"{name}/1", MARK, BINARY, {"verdict": "clean"})
    assert not await adapter.copy(written, TARGET, f"{name}/1", {"asset": "2"}, BINARY)


async def test_a_blob_whose_url_no_header_can_hold_is_copied_all_the_same(kept, blobs):
    long = f"{new_id(datetime.now(UTC))}/{'é' * 990}"
    await kept.write(CONTAINER, long, b"first", BINARY)
    source = await kept.head(CONTAINER, long)
    assert await kept.copy(source, TARGET, source.etag, MARK, BINARY, {"verdict": "refused"})
    assert await kept.copy(source, TARGET, source.etag, MARK, BINARY)
    assert not await kept.copy(source, TARGET, source.etag, {"asset": "2"}, BINARY)
    assert await content(blobs, TARGET, source.etag) == b"first"
    await overwrite(blobs, long)
    with pytest.raises(BlobChangedError):
        await kept.copy(source, TARGET, f"{source.etag}/2", MARK, BINARY)


@pytest.mark.parametrize("sent", [0, 10, CHUNK], ids=["headers", "a piece", "a chunk"])
async def test_a_download_that_breaks_off_is_a_service_that_cannot_be_reached(stack, sent):
    """A network that breaks off says nothing of the file: intake must not refuse the file."""

    async def broken(reader, writer):
        size = 2 * CHUNK
        head = await reader.readuntil(b"\r\n\r\n")
        start = int(re.search(rb"range: bytes=(\d+)", head, re.IGNORECASE)[1])
        writer.write(
            b"HTTP/1.1 206 Partial Content\r\nETag: 1\r\nx-ms-blob-type: BlockBlob\r\n"
            b"Content-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n\r\n"
            % (CHUNK, start, start + CHUNK - 1, size)
        )
        writer.write(bytes(sent if start == 0 else 10))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    through = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    strings = stack.info["connection_strings"]["storage"]
    adapter = AzureBlobs(re.sub("BlobEndpoint=[^;]+", f"BlobEndpoint={through}", strings))
    with pytest.raises(UnavailableError):
        await read(adapter, BlobInfo(CONTAINER, "a", "1", 2 * CHUNK, datetime.now(UTC)))
    await adapter.close()
    server.close()


async def test_a_key_that_the_account_does_not_know_is_a_service_that_cannot_be_reached(stack):
    """A rotated key, or a missing role, ends with an operator, and not at the next delivery."""
    known = stack.info["connection_strings"]["storage"]
    name = re.search("AccountKey=([^;]+)", known).group(1)
    other = base64.b64encode(bytes(64)).decode()
    string = known.replace(name, other)
    blobs, tables = AzureBlobs(string), AzureTables(string)
    with pytest.raises(UnavailableError):
        await blobs.head(CONTAINER, "a")
    with pytest.raises(UnavailableError):
        await blobs.write(CONTAINER, "a", b"a", BINARY)
    with pytest.raises(UnavailableError):
        await tables.commit("adaptertests", [Insert(Row("p", "r", {}))])
    await blobs.close()
    await tables.close()
