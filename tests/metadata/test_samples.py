"""The samples are what their manifest says, and what we say of them is the same."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from samples.eicar import eicar
from shared.metadata.collector import Collector
from shared.metadata.parsing import NamedPerson
from shared.scanning.content_type import HEAD_SIZE, detect

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]

every_sample = pytest.mark.parametrize("sample", MANIFEST, ids=lambda sample: sample["file"])


@every_sample
def test_file_is_the_one_of_the_manifest(sample):
    data = (SAMPLES / sample["file"]).read_bytes()
    assert len(data) == sample["size"] <= 60_000
    assert hashlib.sha256(data).hexdigest() == sample["sha256"]


@every_sample
def test_media_type(sample):
    data = (SAMPLES / sample["file"]).read_bytes()
    assert detect(data[:HEAD_SIZE], len(data)) == sample["media_type"]


@every_sample
def test_people_and_documents(sample):
    path = SAMPLES / sample["file"]
    collector = Collector(sample["media_type"])
    with path.open("rb") as file:
        while chunk := file.read(1000):
            collector.feed(chunk)
        metadata = collector.finish(file)
    expected = [NamedPerson(person["identifier"], person["field"]) for person in sample["people"]]
    assert list(metadata.people) == expected
    assert metadata.note == sample["note"]
    assert [document.identifier for document in metadata.documents] == sample["documents"]


def test_every_kind_of_file_and_field_is_there():
    assert {sample["media_type"] for sample in MANIFEST} == {
        "application/pdf",
        "image/avif",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/svg+xml",
        "image/tiff",
        "image/vnd.adobe.photoshop",
        "image/webp",
        "image/x-adobe-dng",
        "video/mp4",
        "video/quicktime",
    }
    fields = {person["field"] for sample in MANIFEST for person in sample["people"]}
    assert {
        "Exif:Artist",
        "IPTC:2:80 By-line",
        "PDF:Author",
        "dc:creator",
        "dc:subject",
        "mwg-rs:Regions/Name",
        "photoshop:Credit",
        "xmpRights:Owner",
    } <= fields


def test_the_test_virus_is_nowhere_in_the_repository():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    paths = [ROOT / name.decode() for name in tracked if name]
    assert paths
    # Not all of it, since a scanner may know it by a part.
    part = eicar()[28:50]
    assert not [path for path in paths if path.is_file() and part in path.read_bytes()]
