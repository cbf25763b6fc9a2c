"""Thumbnails of finds: of pictures that are there, cleared, and of a type that is rendered."""

import io
from pathlib import Path

import pytest
from PIL import Image

from samples.eicar import eicar
from shared.composition.erasures import ErasuresFlow
from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    ConflictError,
    NotFoundError,
    RefusalError,
)
from tests.erasures.steps import (
    PERSON,
    approved,
    filed,
    finds,
    finished,
    requested,
    searched,
)

SAMPLES = Path(__file__).parents[2] / "samples"
CAT = (SAMPLES / "cat.jpg").read_bytes()


async def shown(app, tenant, request, find, asset=None):
    return await app.flow(ErasuresFlow).thumbnails.show(tenant, request, find, asset or find)


async def refused(app, tenant, request, find, asset=None):
    with pytest.raises(RefusalError) as raised:
        await shown(app, tenant, request, find, asset)
    return raised.value.code


async def found(app, tenant, *files):
    """File these files, whose paths name the person; the assets and the request."""
    filed_assets = [await filed(app, f"{tenant}/{PERSON}/{name}", data) for name, data in files]
    request = await requested(app, tenant)
    await searched(app, tenant, request)
    return filed_assets, request


async def test_each_file_that_can_be_rendered_is_shown(fast, tenant):
    names = ("cat.jpg", "launch.png", "coffee.webp", "coffee.avif", "layers.psd", "astronaut.tif")
    files = [(name, (SAMPLES / name).read_bytes()) for name in names]
    files.append(("x.gif", saved(Image.new("P", (400, 300)), "GIF")))
    files.append(("x.bmp", saved(Image.new("RGB", (400, 300)), "BMP")))
    files.append(("x.jp2", saved(Image.new("RGB", (400, 300)), "JPEG2000")))
    pictures, request = await found(fast, tenant, *files)
    for picture in pictures:
        assert picture.verdict == "clean", picture
        made = await shown(fast, tenant, request, picture.id)
        assert max(Image.open(io.BytesIO(made)).size) <= 256


def saved(picture, kind):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


async def test_each_asset_of_a_find_is_asked_for_and_no_other(fast, tenant):
    sidecar = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    (note, photo), request = await found(fast, tenant, ("a.xmp", sidecar), ("a.jpg", CAT))
    [find] = await finds(fast, tenant, request)
    assert (await shown(fast, tenant, request, find.find.id, photo.id)).startswith(b"\xff\xd8")
    assert await refused(fast, tenant, request, find.find.id, note.id) == "thumbnail-not-supported"
    other = await filed(fast, f"{tenant}/other.jpg", CAT)
    assert await refused(fast, tenant, request, find.find.id, other.id) == "asset-not-found"
    assert await refused(fast, tenant, request, other.id) == "find-not-found"


async def test_what_cannot_be_shown_is_said(fast, tenant):
    large = saved(Image.new("1", (20_100, 20_100)), "PNG")
    files = (
        ("a.txt", b"a text", "thumbnail-not-supported"),
        ("b.heic", (SAMPLES / "cat.heic").read_bytes(), "thumbnail-not-supported"),
        ("c.mp4", (SAMPLES / "clip.mp4").read_bytes(), "thumbnail-not-supported"),
        ("d.jpg", CAT[:3000], "thumbnail-unreadable"),
        ("e.com", eicar(), "thumbnail-not-cleared"),
        ("f.png", large, "thumbnail-too-large"),
    )
    assets, request = await found(fast, tenant, *(file[:2] for file in files))
    for asset, (_, _, code) in zip(assets, files, strict=True):
        assert await refused(fast, tenant, request, asset.id) == code


async def test_bytes_that_are_gone_or_archived_or_another_asset_are_said(fast, tenant, monkeypatch):
    (asset,), request = await found(fast, tenant, ("a.jpg", CAT))
    read = fast.blobs.read
    for error, code in (
        (BlobArchivedError("x"), "thumbnail-archived"),
        (BlobChangedError("x"), "asset-not-found"),
    ):

        def fail(_, error=error):
            raise error

        monkeypatch.setattr(fast.blobs, "read", fail)
        assert await refused(fast, tenant, request, asset.id) == code
    monkeypatch.setattr(fast.blobs, "read", read)
    # An erasure that died after the bytes had gone, and an upload to the same path.
    await fast.blobs.delete(asset.container, asset.blob)
    assert await refused(fast, tenant, request, asset.id) == "asset-not-found"
    await filed(fast, f"{tenant}/{asset.path}", CAT)
    assert await refused(fast, tenant, request, asset.id) == "asset-not-found"


async def test_a_picture_above_the_limit_is_not_read(fast, tenant, monkeypatch):
    (asset,), request = await found(fast, tenant, ("a.jpg", CAT))
    monkeypatch.setattr("shared.erasures.thumbnails._LARGEST", len(CAT) - 1)
    monkeypatch.setattr(fast.blobs, "read", None)
    assert await refused(fast, tenant, request, asset.id) == "thumbnail-too-large"


async def test_a_completed_request_shows_nothing(fast, tenant):
    (asset,), request = await found(fast, tenant, ("a.jpg", CAT))
    await approved(fast, tenant, request)
    await finished(fast, tenant, request)
    with pytest.raises(ConflictError) as over:
        await shown(fast, tenant, request, asset.id)
    assert over.value.code == "erasure-completed"


async def test_a_request_of_another_tenant_is_none(fast, tenant):
    (asset,), request = await found(fast, tenant, ("a.jpg", CAT))
    with pytest.raises(NotFoundError):
        await shown(fast, f"{tenant}x", request, asset.id)
