"""Files that are too large to be kept: the verdict is the verdict of a small file."""

import io
import tarfile
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from samples.eicar import eicar_zip
from shared.azure.blobs import AzureBlobs
from shared.intake import inspection
from shared.rescans import scan
from shared.scanning import stored_file
from tests.compositions import arrived

SAMPLES = Path(__file__).parents[2] / "samples"
FILM = (SAMPLES / "clip.mp4").read_bytes()
PHOTO = (SAMPLES / "cat.jpg").read_bytes()
MIB = 1024 * 1024


class Counted(AzureBlobs):
    """Storage that counts the reads of a part of a blob."""

    ranges = 0

    async def read_range(self, *args):
        self.ranges += 1
        return await super().read_range(*args)


class Overwritten(AzureBlobs):
    """Storage whose blob changes once the blob was read from start to end."""

    async def read_range(self, blob, *args):
        await self._client(blob.container, blob.name).upload_blob(b"other", overwrite=True)
        return await super().read_range(blob, *args)


@pytest.fixture
def small_limits(monkeypatch):
    """Limits that the samples are above."""
    for module, name in (
        (inspection, "_SPOOL_LIMIT"),
        (inspection, "_SPOOL_LIMIT_OTHERS"),
    ):
        monkeypatch.setattr(module, name, 500)


@pytest.fixture
async def counted(app, services):
    async with replaced(app, services, Counted) as blobs:
        yield blobs


@asynccontextmanager
async def replaced(app, services, kind):
    """Storage of `kind` in place of the app's."""
    before = app.adapters.blobs
    app.adapters.blobs = kind(services.info["connection_strings"]["storage"])
    try:
        yield app.adapters.blobs
    finally:
        await app.adapters.blobs.close()
        app.adapters.blobs = before


async def filed(app, tenant, data):
    """The asset that intake makes of an upload."""
    await app.intake.process_upload(await arrived(app, tenant, "a.bin", data))
    [asset] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    return asset


def zipped(*members, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, data in enumerate(members):
            archive.writestr(f"{number}.bin", data)
    return buffer.getvalue()


def tarred(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for data in members:
            info = tarfile.TarInfo("a.bin")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "verdict", "reason"),
    [
        (FILM + eicar_zip(), "infected", "malware-found"),
        (FILM + eicar_zip() + bytes(70_000), "infected", "malware-found"),
        (tarred(PHOTO, FILM + eicar_zip()), "infected", "malware-found"),
        (zipped(FILM, eicar_zip()), "infected", "malware-found"),
        (zipped(FILM, PHOTO, b"a"), "clean", None),
        (zipped(FILM, PHOTO, method=zipfile.ZIP_DEFLATED), "clean", None),
        (tarred(PHOTO, FILM), "clean", None),
        (FILM + zipped(PHOTO), "clean", None),
        (
            FILM + b"Rar!\x1a\x07\0\xcf\x90\x73\0\0\x0d" + bytes(50),
            "refused",
            "archive-unsupported",
        ),
        (FILM + zipped(PHOTO).replace(b"0.bin", b"1.bin", 1), "refused", "archive-contradictory"),
        (b"text " * 200, "clean", None),
    ],
    ids=[
        *("film and zip", "zip within film", "film in tar", "zip in zip", "zip", "deflated zip"),
        *("tar", "film and clean zip", "film and RAR", "film and forged zip", "text"),
    ],
)
@pytest.mark.usefixtures("small_limits")
async def test_a_large_file_has_the_verdict_of_a_small_file(
    app, tenant, counted, data, verdict, reason
):
    asset = await filed(app, tenant, data)
    assert (asset.verdict, asset.reason) == (verdict, reason)
    assert not any("large-file" in note for note in asset.content_notes)
    assert counted.ranges > 0


@pytest.mark.usefixtures("small_limits")
async def test_a_film_without_another_file_is_read_once(app, tenant, counted):
    ranges = []
    for times in (10, 40):
        before = counted.ranges
        film = FILM + bytes(100_000 * times)
        await app.intake.process_upload(await arrived(app, tenant, f"{times}.mp4", film))
        ranges.append(counted.ranges - before)
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [(asset.verdict, asset.content_notes) for asset in assets] == [("clean", ())] * 2
    # The beginning, and the end, where a directory would stand: as many for a film of any length.
    assert ranges[0] == ranges[1]


async def test_a_film_of_66_mib_with_a_zip_at_its_end(app, tenant, counted):
    asset = await filed(app, tenant, FILM + bytes(66 * MIB) + eicar_zip())
    assert (asset.verdict, asset.reason) == ("infected", "malware-found")
    assert counted.ranges < 700


@pytest.mark.usefixtures("small_limits")
async def test_a_later_scan_finds_what_the_first_scan_finds(app, tenant, counted, monkeypatch):
    monkeypatch.setattr(scan, "_SPOOL_LIMIT", 500)
    event = await arrived(app, tenant, "a.bin", FILM + eicar_zip())
    blob = await counted.head("incoming", event.name)
    found = await scan.scan_stored(app.engines, counted, tenant, blob, "video/mp4")
    assert [one.findings.matches for one in found.results] == [("eicar_test_file",)]
    assert found.content_notes == ("polyglot",)
    assert counted.ranges > 0


@pytest.mark.usefixtures("small_limits")
async def test_what_is_read_over_and_over_again_is_refused(app, tenant, counted, monkeypatch):
    monkeypatch.setattr(stored_file, "_TIMES", 1)
    monkeypatch.setattr(stored_file, "_FREE", 0)
    asset = await filed(app, tenant, zipped(FILM, PHOTO))
    assert (asset.verdict, asset.reason) == ("refused", "archive-too-large")


@pytest.mark.usefixtures("small_limits")
async def test_a_blob_that_changes_meanwhile_is_not_filed(app, tenant, services):
    event = await arrived(app, tenant, "a.bin", zipped(FILM, PHOTO))
    async with replaced(app, services, Overwritten):
        await app.intake.process_upload(event)
    # The other bytes are an event of their own.
    assert (await app.assets.page(tenant, size=10, continuation=None))[0] == []
