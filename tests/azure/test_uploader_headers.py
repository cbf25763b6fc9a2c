"""What the uploader of a blob chooses beside the bytes: none of it outlives the filing."""

import gzip
import hashlib
import zlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from azure.storage.blob import BlobProperties, ContentSettings, StandardBlobTier
from azure.storage.blob.aio import BlobLeaseClient

from shared.azure.blobs import CHUNK, AzureBlobs, _plain_type
from shared.errors import UnavailableError
from shared.ids import new_id

CONTAINER = "headertests"
TARGET = "headertargets"
TYPE = "image/jpeg"
MARK = {"asset": "1"}
TEXT = b"the stored bytes " * 100
# Each is bytes that a reader who obeys the label would not see as they are stored, or not at all.
ENCODED = {
    "gzip": (gzip.compress(TEXT), "gzip"),
    "gzip-and-more": (gzip.compress(TEXT) + b"PK\x03\x04 what follows", "gzip"),
    "upper-case": (gzip.compress(TEXT), "GZIP"),
    "x-gzip": (gzip.compress(TEXT), "x-gzip"),
    "not-gzip": (b"hello", "gzip"),
    "cut-short": (gzip.compress(TEXT)[:-9], "gzip"),
    "deflate": (zlib.compress(TEXT), "deflate"),
    "raw-deflate": (zlib.compress(TEXT, wbits=-15), "deflate"),
    "brotli": (TEXT, "br"),
    "zstd": (TEXT, "zstd"),
    "two": (gzip.compress(gzip.compress(TEXT)), "gzip, gzip"),
    "chunked": (TEXT, "aws-chunked"),
    "unknown": (TEXT, "x-foo"),
    "many-chunks": (gzip.compress(bytes(9 * CHUNK)) + bytes(2 * CHUNK), "gzip"),
}
HEADERS = {
    "type": {"x-ms-blob-content-type": "text/html"},
    "encoding": {"x-ms-blob-content-encoding": "gzip"},
    "language": {"x-ms-blob-content-language": "tlh"},
    "disposition": {"x-ms-blob-content-disposition": 'inline; filename="a.html"'},
    "caching": {"x-ms-blob-cache-control": "public, max-age=99999999, immutable"},
    "with-the-right-type": {
        "x-ms-blob-content-type": TYPE,
        "x-ms-blob-content-disposition": "inline",
    },
    "all": {
        "x-ms-blob-content-type": "text/html",
        "x-ms-blob-content-encoding": "gzip",
        "x-ms-blob-content-language": "tlh",
        "x-ms-blob-content-disposition": "inline",
        "x-ms-blob-cache-control": "public",
    },
    "none": {},
}
METADATA = [
    {"x-ms-meta-asset": "1"},
    {"x-ms-meta-ASSET": "2"},
    {"x-ms-meta-Asset": "2", "x-ms-meta-evil": "1"},
    {"x-ms-meta-hdi_isfolder": "true"},
]


@pytest.fixture(scope="module")
async def kept(stack):
    """The adapter of the stack's blobs."""
    adapter = AzureBlobs(stack.info["connection_strings"]["storage"])
    await adapter.ensure_container(CONTAINER)
    await adapter.ensure_container(TARGET)
    yield adapter
    await adapter.close()


@pytest.fixture
async def put(kept):
    """`put(data, headers)` uploads with the URL that a tenant gets; what a HEAD says of it."""
    name = new_id(datetime.now(UTC))

    async def put(data, headers):
        soon = datetime.now(UTC) + timedelta(minutes=5)
        url = kept.upload_url(CONTAINER, name, soon, blocks=False)
        async with httpx.AsyncClient(trust_env=False) as client:
            sent = {"x-ms-blob-type": "BlockBlob", **headers}
            answer = await client.put(url, content=data, headers=sent)
            assert answer.status_code == 201, answer.text
        return await kept.head(CONTAINER, name)

    return put


async def read(kept, blob):
    async with kept.read(blob) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def found(blobs, name):
    return await blobs.get_blob_client(TARGET, name).get_blob_properties()


def served(properties):
    settings = properties.content_settings
    return (
        settings.content_type,
        settings.content_encoding,
        settings.content_language,
        settings.content_disposition,
        settings.cache_control,
    )


@pytest.mark.parametrize("kind", ENCODED)
async def test_the_stored_bytes_are_read_whatever_encoding_they_are_said_to_have(kept, put, kind):
    data, encoding = ENCODED[kind]
    blob = await put(data, {"x-ms-blob-content-encoding": encoding})
    assert blob.size == len(data)
    assert hashlib.sha256(await read(kept, blob)).digest() == hashlib.sha256(data).digest()
    assert await kept.read_range(blob, 1, 2000) == data[1:2001]


@pytest.mark.parametrize("kind", HEADERS)
async def test_a_copy_has_no_header_of_its_source(kept, blobs, put, kind):
    blob = await put(b"bytes", HEADERS[kind])
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert served(await found(blobs, blob.name)) == (TYPE, None, None, None, None)
    first = (await kept.head(TARGET, blob.name)).etag
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert (await kept.head(TARGET, blob.name)).etag == first


async def test_a_copy_that_was_killed_before_its_headers_is_completed(kept, blobs, put):
    blob = await put(b"bytes", HEADERS["all"])

    async def killed(*_):
        raise UnavailableError("storage")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kept, "_finish_copy", killed)
        with pytest.raises(UnavailableError):
            await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert served(await found(blobs, blob.name))[1] == "gzip"
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert served(await found(blobs, blob.name)) == (TYPE, None, None, None, None)


@pytest.mark.parametrize("metadata", METADATA)
async def test_a_copy_has_no_metadata_of_its_source(kept, blobs, put, metadata):
    blob = await put(b"bytes", metadata)
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert (await found(blobs, blob.name)).metadata == MARK
    # The same copy again, and a copy of another asset.
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert not await kept.copy(blob, TARGET, blob.name, {"asset": "2"}, TYPE)


async def test_a_copy_has_no_tags_of_its_source(kept, blobs, put):
    blob = await put(b"bytes", {})
    await blobs.get_blob_client(CONTAINER, blob.name).set_blob_tags({"verdict": "clean", "x": "y"})
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE, {"verdict": "infected"})
    assert await blobs.get_blob_client(TARGET, blob.name).get_blob_tags() == {"verdict": "infected"}
    assert await kept.copy(blob, TARGET, f"{blob.name}/2", MARK, TYPE)
    assert await blobs.get_blob_client(TARGET, f"{blob.name}/2").get_blob_tags() == {}


@pytest.mark.parametrize("tier", ["Cool", "Cold", "Hot", None])
async def test_a_copy_is_in_the_tier_for_use(kept, blobs, put, tier):
    blob = await put(b"bytes", {"x-ms-access-tier": tier} if tier else {})
    assert blob.is_cold == (tier in ("Cool", "Cold"))
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert (await found(blobs, blob.name)).blob_tier == StandardBlobTier.HOT


async def test_a_lease_on_the_source_is_neither_a_hindrance_nor_copied(kept, blobs, put):
    blob = await put(b"bytes", {})
    await BlobLeaseClient(blobs.get_blob_client(CONTAINER, blob.name)).acquire(-1)
    assert await read(kept, blob) == b"bytes"
    assert await kept.copy(blob, TARGET, blob.name, MARK, TYPE)
    assert (await found(blobs, blob.name)).lease.state == "available"
    await kept.delete(CONTAINER, blob.name, blob.etag)
    assert await kept.head(CONTAINER, blob.name) is None


async def test_a_list_tells_of_the_headers_what_a_head_tells(kept, put):
    for headers in ({}, {"x-ms-blob-content-type": TYPE}, HEADERS["all"]):
        blob = await put(b"bytes", headers)
        [listed] = [one async for one in kept.scan(CONTAINER, blob.name)]
        assert (listed.plain_type, listed.is_cold) == (blob.plain_type, blob.is_cold)
        await kept.delete(CONTAINER, blob.name)


async def test_a_read_url_tells_caches_to_keep_nothing(kept, put):
    blob = await put(b"bytes", {"x-ms-blob-cache-control": "public, max-age=99999"})
    soon = datetime.now(UTC) + timedelta(minutes=5)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(kept.read_url(CONTAINER, blob.name, soon, "a.jpg"))
    assert (answer.content, answer.headers["Cache-Control"]) == (b"bytes", "no-store")


@pytest.mark.parametrize(("mebibytes", "plain"), [(5000, TYPE), (5001, None)])
def test_a_hash_that_the_service_did_not_check_is_a_header_of_the_uploader(mebibytes, plain):
    blob = BlobProperties(**{"Content-Length": mebibytes * 1024**2})
    blob.content_settings = ContentSettings(content_type=TYPE, content_md5=bytearray(16))
    assert _plain_type(blob) == plain
