"""The engine clamd, as Debian packages it."""

import bz2
import gzip
import io
import json
import re
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from samples.eicar import eicar, eicar_nested_zip, eicar_zip
from shared.errors import UnavailableError
from shared.ports import BlobInfo
from shared.scanning.clamd import ClamdScanner, encrypted_archive, nested_archive
from shared.scanning.scanner import Findings
from tests.clamd.conftest import HASHED, MAX_STREAM, MIB

SAMPLES = Path(__file__).parents[2] / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]
INFECTED = Findings(("Vouchsafe.Eicar.UNOFFICIAL",))
CLEAN = Findings()


def scanner_of(address: str) -> ClamdScanner:
    return ClamdScanner(address, MAX_STREAM, pauses=())


@pytest.fixture(params=["path", "port"])
def scanner(clamd, request):
    return scanner_of(getattr(clamd, request.param))


async def begun(scanner, size):
    blob = BlobInfo("incoming", "acme/a", '"0x1"', size, datetime.now(UTC))
    return await scanner.begin("an-asset", blob)


async def scan(scanner, *chunks, size=None):
    """The findings of chunks that make up one upload."""
    scan = await begun(scanner, sum(map(len, chunks)) if size is None else size)
    try:
        for chunk in chunks:
            scan.feed(chunk)
        return scan.finish(None)
    finally:
        scan.close()


async def test_says_what_scans(scanner):
    engine = await scanner.engine()
    assert engine.name == "clamd"
    assert re.fullmatch(r"\d+\.\d+\.\d+", engine.version)
    # Our own signatures have no version.
    assert (engine.signatures, engine.signatures_made_at) == (None, None)
    assert (await begun(scanner, 1)).engine == engine


@pytest.mark.parametrize("sample", MANIFEST, ids=lambda sample: sample["file"])
async def test_photos_are_clean(scanner, sample):
    assert await scan(scanner, (SAMPLES / sample["file"]).read_bytes()) == CLEAN


@pytest.mark.parametrize(
    "data",
    [
        eicar(),
        b"x" * 1000 + eicar(),
        eicar_zip(),
        eicar_nested_zip(),
        gzip.compress(b"x" * 99 + eicar()),
        bz2.compress(b"x" * 99 + eicar()),
        (SAMPLES / "cat.jpg").read_bytes() + eicar_zip(),
    ],
    ids=["plain", "later", "zip", "zip in zip", "gzip", "bzip2", "after a picture"],
)
async def test_a_virus_is_found(scanner, data):
    assert await scan(scanner, data) == INFECTED


async def test_a_file_is_known_by_its_hash(scanner):
    assert await scan(scanner, HASHED) == Findings(("Vouchsafe.Hashed.UNOFFICIAL",))


@pytest.mark.parametrize("split", [1, 30, 67])
async def test_a_virus_is_found_in_any_chunks(scanner, split):
    virus = eicar()
    assert await scan(scanner, b"", virus[:split], b"", virus[split:]) == INFECTED


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("scan-limit-exceeded", nested_archive()),
        ("archive-encrypted", encrypted_archive()),
    ],
)
async def test_what_clamd_cannot_look_into_is_not_cleared(scanner, reason, data):
    assert await scan(scanner, data) == Findings(refusal=reason)


async def test_the_longest_stream(scanner):
    data = bytes(MAX_STREAM - len(eicar())) + eicar()
    assert await scan(scanner, data[: 4 * MIB], data[4 * MIB :]) == INFECTED


@pytest.mark.parametrize("said", [MAX_STREAM + 1, 1])
async def test_a_longer_one_is_refused_by_us_and_by_clamd(scanner, said):
    """`said` is the size that we were told; clamd counts for itself."""
    chunks = [bytes(4 * MIB)] * 2 + [eicar(), bytes(4 * MIB)]
    assert await scan(scanner, *chunks, size=said) == Findings(refusal="scan-too-large")


async def test_memory_is_flat(scanner):
    chunk = bytes(4 * MIB)
    scan = await begun(scanner, 2 * len(chunk))
    tracemalloc.start()
    try:
        scan.feed(chunk)
        scan.feed(chunk)
        assert scan.finish(None) == CLEAN
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        scan.close()
    assert peak < 64 * 1024


@pytest.mark.parametrize("alerts", ["", "AlertExceedsMax yes\n", "AlertEncryptedArchive yes\n"])
async def test_a_clamd_that_passes_what_it_cannot_look_into_is_not_used(made, alerts):
    careless = made(alerts=alerts)
    careless.start()
    with pytest.raises(UnavailableError):
        await scan(scanner_of(careless.path), b"harmless")
    careless.stop()


async def test_a_clamd_that_dies_clears_nothing(made):
    mortal = made()
    mortal.start()
    scanner = scanner_of(mortal.port)
    begun_before = await begun(scanner, 4 * MIB)
    begun_before.feed(bytes(MIB))
    finished_after = await begun(scanner, 4)
    finished_after.feed(b"text")
    mortal.stop()
    with pytest.raises(UnavailableError):
        # More than the kernel would take for a process that is no more.
        begun_before.feed(bytes(64 * MIB))
    with pytest.raises(UnavailableError):
        finished_after.finish(None)
    with pytest.raises(UnavailableError):
        await begun(scanner, 4)
    mortal.start()
    assert await scan(scanner, b"text") == CLEAN
    mortal.stop()


async def test_a_zip_of_many_kinds(scanner):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for sample in MANIFEST:
            archive.write(SAMPLES / sample["file"], sample["file"])
        archive.writestr("last", eicar())
    assert await scan(scanner, buffer.getvalue()) == INFECTED
