import hashlib
import json
from pathlib import Path

import exiv2
import pytest

from samples.eicar import eicar
from shared.intake.inspection import Pass
from shared.intake.rules import Filing, Inspection, decide
from shared.scanning.scanner import Engine, Findings
from shared.scanning.yara import Signatures

SAMPLES = Path(__file__).parents[2] / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]
MIB = 1024 * 1024
CLEAN = Filing("clean", None)


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def inspect(scanner: Signatures, *chunks: bytes, size: int | None = None) -> Inspection:
    """One pass over chunks; `size` is what the blob is said to have, where it is not fed whole."""
    whole = sum(len(chunk) for chunk in chunks)
    with Pass([scanner.begin()], whole if size is None else size) as inspecting:
        for chunk in chunks:
            inspecting.feed(chunk)
        return inspecting.finish()


@pytest.mark.parametrize("sample", MANIFEST, ids=lambda sample: sample["file"])
def test_samples_are_cleared_with_the_texts_that_name_their_people(scanner, sample):
    data = (SAMPLES / sample["file"]).read_bytes()
    inspection = inspect(scanner, data[:5000], data[5000:])
    assert decide(inspection) == CLEAN
    assert inspection.sha256 == sample["sha256"] == hashlib.sha256(data).hexdigest()
    assert (inspection.size, inspection.media_type) == (sample["size"], sample["media_type"])
    assert inspection.metadata_note == sample["note"]
    assert inspection.people == sorted({person["field"] for person in sample["people"]})
    for person in sample["people"]:
        assert any(
            text.field == person["field"] and person["identifier"] in " ".join(text.text.split())
            for text in inspection.texts
        ), person
    assert [document.id for document in inspection.documents] == sample["documents"]


@pytest.mark.parametrize("length", [3, 40, 400, 4000])
@pytest.mark.parametrize("file", ["cat.jpg", "astronaut.tif", "launch.png", "coffee.webp"])
def test_cut_pictures_are_cleared(scanner, file, length):
    inspection = inspect(scanner, (SAMPLES / file).read_bytes()[:length])
    assert decide(inspection) == CLEAN


def test_every_name_of_a_picture_is_kept(scanner):
    image = exiv2.ImageFactory.open((SAMPLES / "cat.jpg").read_bytes())
    image.readMetadata()
    people = [f"Zoë Müller Ñ {number:04}" for number in range(400)]
    image.xmpData()["Xmp.iptcExt.PersonInImage"] = people
    image.writeMetadata()
    inspection = inspect(scanner, bytes(image.io().mmap()))
    assert decide(inspection) == CLEAN
    assert inspection.metadata_note is None
    assert set(people) <= {text.text for text in inspection.texts}


def test_an_infected_picture_is_not_asked_for_its_people(scanner):
    inspection = inspect(scanner, (SAMPLES / "cat.jpg").read_bytes(), eicar())
    assert decide(inspection) == Filing("infected", "malware-found")
    assert (inspection.people, inspection.texts) == ([], ())
    assert inspection.metadata_note == "metadata-unread"


@pytest.mark.parametrize(
    ("size", "people", "note"),
    [(512 * MIB, 3, None), (512 * MIB + 1, 0, "metadata-too-large")],
)
def test_the_largest_picture_whose_metadata_is_read(scanner, size, people, note):
    inspection = inspect(scanner, (SAMPLES / "cat.jpg").read_bytes(), size=size)
    assert decide(inspection) == CLEAN
    assert (len(inspection.people), inspection.metadata_note) == (people, note)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (64 * MIB, "archive-broken"),
        (512 * MIB, "archive-broken"),
        (512 * MIB + 1, "archive-too-large"),
    ],
)
def test_an_archive_that_is_not_looked_into_is_refused(scanner, size, reason):
    inspection = inspect(scanner, b"PK\3\4" + bytes(1000), size=size)
    assert decide(inspection) == Filing("refused", reason)


class Elsewhere:
    """A scan by an engine that reads the upload on its own."""

    engine = Engine("elsewhere", None, None, None)
    closed = False

    def __init__(self, findings):
        self._findings = findings

    def feed(self, chunk):
        pass

    def finish(self, file):
        return self._findings

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("findings", "filing"),
    [
        (Findings(), CLEAN),
        (Findings(sha256=hashlib.sha256(b"text").hexdigest()), CLEAN),
        (Findings(sha256="0" * 64), Filing("refused", "scan-of-other-bytes")),
        (Findings(("worm",), sha256="0" * 64), Filing("infected", "malware-found")),
    ],
)
def test_an_engine_must_have_scanned_these_very_bytes(findings, filing):
    scan = Elsewhere(findings)
    with Pass([scan], 4) as inspecting:
        inspecting.feed(b"text")
        inspection = inspecting.finish()
    assert decide(inspection) == filing
    assert [one.engine for one in inspection.scans] == [scan.engine]
    assert scan.closed


def test_a_raw_photo_is_read_as_the_tiff_that_it_is(scanner):
    photo = exiv2.ImageFactory.open((SAMPLES / "astronaut.tif").read_bytes())
    photo.readMetadata()
    photo.exifData()["Exif.Image.DNGVersion"] = exiv2.DataValue(b"\1\4\0\0")
    photo.writeMetadata()
    inspection = inspect(scanner, bytes(photo.io().mmap()))
    assert inspection.media_type == "image/x-adobe-dng"
    [sample] = [one for one in MANIFEST if one["file"] == "astronaut.tif"]
    assert inspection.people == sorted({person["field"] for person in sample["people"]})
    assert inspection.metadata_note == sample["note"]
