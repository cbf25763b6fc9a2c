"""The names in archives: of files, folders and people, in every archive within."""

import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from shared.intake.archive_names import names_in
from shared.intake.inspection import Pass

NAME = "people/Zoë Winter.txt"


def zipped(*names, content=b"x"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(name, *, form=tarfile.PAX_FORMAT, **more):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = 1
        for key, value in more.items():
            setattr(info, key, value)
        archive.addfile(info, io.BytesIO(b"x"))
    return buffer.getvalue()


def gzipped(name, data=b"x"):
    buffer = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=buffer) as archive:
        archive.write(data)
    return buffer.getvalue()


def inspected(data):
    inspecting = Pass((), len(data))
    with inspecting:
        inspecting.feed(data)
        return inspecting.finish()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (zipped(NAME), "ZIP:name"),
        (tarred(NAME), "TAR:name"),
        (tarred(NAME, form=tarfile.GNU_FORMAT), "TAR:name"),
        (tarred(NAME * 20, form=tarfile.GNU_FORMAT), "TAR:name"),
        (tarred("a", linkname=NAME, type=tarfile.SYMTYPE, size=0), "TAR:link"),
        (tarred("a", uname=NAME), "TAR:user"),
        (tarred("a", gname=NAME), "TAR:group"),
        (tarred("a", pax_headers={"comment": NAME}), "TAR:comment"),
        (gzip.compress(tarred(NAME)), "TAR:name"),
        (lzma.compress(tarred(NAME)), "TAR:name"),
        (zipped("a.zip", content=zipped(NAME)), "ZIP:name"),
        (zipped("a.tar.gz", content=gzip.compress(tarred(NAME))), "TAR:name"),
        (gzipped("Zoe Winter.txt"), "GZIP:name"),
    ],
    ids=lambda given: given if isinstance(given, str) else "archive",
)
def test_every_name_in_an_archive_is_a_text(data, field):
    inspection = inspected(data)
    found = [text.text for text in inspection.texts if text.field == field]
    assert any("Winter" in text for text in found), inspection.texts
    assert inspection.metadata_note is None


def test_a_name_in_an_encoding_of_before_keeps_its_readings():
    data = zipped("Zo_ Winter").replace(b"Zo_ Winter", "Zoë Winter".encode("cp1252"))
    [text] = names_in(io.BytesIO(data)).texts
    assert "Zoë Winter" in (text.text, *text.readings)


def test_the_parts_of_a_document_are_left_out():
    data = zipped("word/document.xml", "_rels/.rels", "media/Zoë.png")
    assert [text.text for text in names_in(io.BytesIO(data), is_document=True).texts] == [
        "media/Zoë.png"
    ]


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b", b"PK\3\4", b"\0" * 1024, b"", b"\x1f\x8b\x08\x08" + bytes(6) + b"Zoe"]
)
def test_a_broken_archive_has_the_names_before_the_break(data):
    names_in(io.BytesIO(data))
