"""The metadata of files in archives: read like the metadata of files on their own."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from shared.intake import member_metadata
from shared.intake.inspection import Pass
from shared.intake.member_metadata import read_members
from shared.intake.rules import Filing, Inspection, decide
from shared.scanning.yara import Signatures

SAMPLES = Path(__file__).parents[2] / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]
NAMED = [sample for sample in MANIFEST if sample["people"]]


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def inspect(scanner: Signatures, data: bytes) -> Inspection:
    with Pass([scanner.begin()], len(data)) as inspecting:
        inspecting.feed(data)
        return inspecting.finish()


def zipped(*members: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, member in enumerate(members):
            archive.writestr(f"{number}", member)
    return buffer.getvalue()


def tarred(*members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number, member in enumerate(members):
            info = tarfile.TarInfo(f"{number}")
            info.size = len(member)
            archive.addfile(info, io.BytesIO(member))
    return buffer.getvalue()


PACKED = {
    "deflated zip": zipped,
    "stored zip": lambda *members: zipped(*members, method=zipfile.ZIP_STORED),
    "tar": tarred,
    "tar.gz": lambda *members: gzip.compress(tarred(*members)),
    "zip in a zip": lambda *members: zipped(zipped(*members)),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("sample", NAMED, ids=lambda sample: sample["file"])
def test_a_file_in_an_archive_names_the_people_that_it_names_on_its_own(scanner, sample, pack):
    data = (SAMPLES / sample["file"]).read_bytes()
    alone, packed = inspect(scanner, data), inspect(scanner, pack(b"text " * 20, data))
    assert decide(packed) == Filing("clean", None)
    assert set(alone.people) <= set(packed.people)
    assert set(alone.texts) <= set(packed.texts)
    assert {document.id for document in alone.documents} <= {
        document.id for document in packed.documents
    }


def test_an_archive_of_photos_and_texts_has_no_note(scanner):
    photo = (SAMPLES / "cat.jpg").read_bytes()
    assert inspect(scanner, zipped(photo, b"text " * 99)).metadata_note is None
    assert inspect(scanner, zipped(photo, bytes(99))).metadata_note == ("metadata-xmp-only")


def test_the_parts_of_a_document_make_no_note(scanner):
    xml = b"<?xml version='1.0'?><a/>"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("[Content_Types].xml", "_rels/.rels", "word/document.xml"):
            archive.writestr(name, xml)
        archive.writestr("word/media/a.emf", bytes(999))
        archive.write(SAMPLES / "cat.jpg", "word/media/cat.jpg")
    inspection = inspect(scanner, buffer.getvalue())
    assert "wordprocessingml" in inspection.media_type
    assert inspection.people
    assert inspection.metadata_note is None


def test_more_members_than_are_read_are_noted(monkeypatch):
    photo = (SAMPLES / "cat.jpg").read_bytes()
    monkeypatch.setattr(member_metadata, "MAX_MEMBERS", 2)
    found = read_members(io.BytesIO(zipped(photo, b"a", photo)))
    assert found.people
    assert found.note == "metadata-too-large"
    assert read_members(io.BytesIO(zipped(photo))).note is None


def test_a_broken_archive_is_noted():
    photo = (SAMPLES / "cat.jpg").read_bytes()
    found = read_members(io.BytesIO(tarred(photo) + b"rubbish" * 99))
    assert found.people
    assert found.note == "metadata-unreadable"


def test_no_metadata_is_read_of_an_archive_that_is_refused(scanner):
    photo = (SAMPLES / "cat.jpg").read_bytes()
    inspection = inspect(scanner, tarred(photo) + b"rubbish" * 99)
    assert decide(inspection) == Filing("refused", "archive-broken")
    assert inspection.people == []


def test_xml_in_an_archive_that_is_no_document_is_read(scanner):
    found = inspect(scanner, zipped(b'<?xml version="1.0"?><a by="Zoe">Winter</a>', b"Bo Winter"))
    assert {"Zoe", "Winter", "Bo Winter"} <= {text.text for text in found.texts}
    assert found.metadata_note is None
