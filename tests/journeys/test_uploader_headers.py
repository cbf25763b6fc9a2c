"""Uploads whose headers say other than their bytes: the bytes are scanned and handed over."""

import gzip
import hashlib
from pathlib import Path

import httpx
import pytest

from samples.eicar import eicar, eicar_zip
from tests.journeys.portal import Portal, eventually
from tests.journeys.test_consent_access import granted, wish

PHOTO = (Path(__file__).parents[2] / "samples/launch.png").read_bytes()
PAGE = b"<!doctype html><html><body><script>alert(document.domain)</script></body></html>"
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
LABELS = {
    "x-ms-blob-content-type": "text/html",
    "x-ms-blob-content-disposition": "inline",
    "x-ms-blob-content-language": "tlh",
    "x-ms-blob-cache-control": "public, max-age=99999",
    "x-ms-meta-ASSET": "01HACKED",
    "x-ms-meta-evil": "1",
}
GZIP = {"x-ms-blob-content-encoding": "gzip"}
CLEAN, UNSAFE = ("clean",), ("infected", "refused")
# The bytes, the headers, the verdicts that will do, and the type of the bytes.
CASES = {
    "photo-over-zip.zip": (gzip.compress(PHOTO) + eicar_zip(), GZIP, UNSAFE, None),
    "photo-over-file.png": (gzip.compress(PHOTO) + eicar(), GZIP, UNSAFE, None),
    "not-gzip.png": (PHOTO, GZIP, CLEAN, "image/png"),
    "five-bytes.bin": (b"hello", GZIP, CLEAN, "text/plain"),
    "honest.svgz": (gzip.compress(DRAWING), GZIP, CLEAN, "application/gzip"),
    "bomb.bin": (
        gzip.compress(bytes(300 * 1024**2), 9),
        GZIP,
        (*CLEAN, *UNSAFE),
        "application/gzip",
    ),
    "brotli.png": (PHOTO, {"x-ms-blob-content-encoding": "br"}, CLEAN, "image/png"),
    "labels.png": (PHOTO, LABELS, CLEAN, "image/png"),
    "page.html": (PAGE, LABELS | {"x-ms-blob-content-type": "image/png"}, CLEAN, "text/html"),
    "drawing.svg": (DRAWING, LABELS, CLEAN, "image/svg+xml"),
    "page-in-gzip.png": (gzip.compress(PAGE), LABELS | GZIP, CLEAN, "application/gzip"),
    "large.html": (PAGE + b" " * (4 * 1024**2), LABELS, CLEAN, "text/html"),
}


async def put(portal, path, data, headers):
    url = await portal.upload_url(path, len(data))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        sent = {"x-ms-blob-type": "BlockBlob", **headers}
        answer = await client.put(url, content=data, headers=sent)
        assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
async def portal(stack):
    async with Portal(stack, "labelled") as portal:
        await granted(portal, pathPrefix="")
        for path, (data, headers, _, _) in CASES.items():
            await put(portal, path, data, headers)
        yield portal


async def filed(portal, path):
    assets = await eventually(
        portal.assets, lambda assets: any(asset["path"] == path for asset in assets)
    )
    return next(asset for asset in assets if asset["path"] == path)


@pytest.mark.parametrize("path", CASES)
async def test_size_hash_type_and_verdict_are_of_the_stored_bytes(portal, blobs, path):
    data, _, verdicts, media_type = CASES[path]
    asset = await filed(portal, path)
    assert asset["size"] == len(data)
    assert asset["sha256"] == hashlib.sha256(data).hexdigest()
    assert asset["verdict"] in verdicts, asset
    assert media_type in (None, asset["mediaType"])
    blob = blobs.get_blob_client(asset["container"], asset["blob"])
    stream = await blob.download_blob(decompress=False)
    assert await stream.readall() == data
    assert stream.properties.metadata.pop("version")
    assert stream.properties.metadata == {"asset": asset["id"]}
    settings = stream.properties.content_settings
    kept = asset["mediaType"] if asset["verdict"] == "clean" else "application/octet-stream"
    assert settings.content_type == kept
    others = ("content_encoding", "content_disposition", "content_language", "cache_control")
    assert [settings[name] for name in others] == [None] * 4


@pytest.mark.parametrize("path", [path for path, case in CASES.items() if case[2] == CLEAN])
async def test_what_is_handed_over_is_a_file_and_nothing_that_a_browser_runs(portal, path):
    data, *_ = CASES[path]
    asset = await filed(portal, path)
    answer = await portal.mine("POST", "accesses", who="sven", body=wish(asset))
    if len(data) > 4 * 1024**2:
        assert answer.status_code == 303, answer.text
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.get(answer.headers["Location"])
    else:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200, answer.text
    # httpx decodes what is labelled as encoded, as a browser does.
    assert answer.content == data
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Content-Type"].partition(";")[0] == asset["mediaType"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
