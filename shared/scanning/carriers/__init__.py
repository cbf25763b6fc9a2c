"""Carriers: formats that hold files or packed content within one file, other than archives.

One pass finds the marks of all formats (`marks`). The marks decide which readers run, one module a
format. Each reader yields what the carrier holds as parts, which are scanned and then examined like
members of an archive, within the limits of the walk through archives. A reader trusts no directory
where the bytes alone can decide, and damage ends a part rather than the scan.
"""

import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

from shared.scanning.carriers import (
    base64_text,
    compressed_rtf,
    data_uris,
    discs,
    mail,
    ole,
    packed,
    pdf,
    plain_archives,
    rtf,
    tnef,
    unsupported,
    vba,
)
from shared.scanning.carriers.closed import CLOSED
from shared.scanning.carriers.marks import Marks, marks_of
from shared.scanning.carriers.parts import Part, part, region
from shared.scanning.scanner import NotExamined, RefusedArchiveError
from shared.scanning.streams import inflated
from shared.scanning.zips import has_directory

_TEXT: Final = bytes(range(0x20, 0x7F)) + b"\t\n\f\r\x1b"
_HIGH: Final = bytes(range(0x80, 0x100))
# Carriers within one file that are read; more are refused.
_MOST_CARRIERS: Final = 10_000
# Bytes of metadata that are searched for base64: JPEG's extended XMP has megabytes, a cover too.
_LONGEST_PACKET: Final = 8 * 1024 * 1024
_NOTES: Final[Mapping[str, str]] = {
    "note_encrypted_document": "encrypted-document",
    "note_encrypted_document_xml": "encrypted-document",
    "note_encrypted_document_odf": "encrypted-document",
    "note_encrypted_mail": "encrypted-mail",
    "note_encrypted_mail_cms": "encrypted-mail",
    "note_mail_fragment": "mail-fragment",
    "note_binhex": "binhex",
    "note_installer": "installer",
    "note_installer_inno": "installer",
    "note_installer_pyinstaller": "installer",
    "note_packed_program": "packed-program",
}
# Damaged bytes in a reader, of which the part is noted.
_DAMAGE: Final = (struct.error, zlib.error, ValueError, IndexError, OverflowError, EOFError)


def examine(file: IO[bytes], head: bytes, marks: Marks | None) -> Iterator[Part]:
    """Yield the parts that `file` carries: see `examiners.Examiner`."""
    size = file.seek(0, 2)
    unsupported.refuse(file, head, size)
    marks = marks or marks_of(file)
    if marks.first_left_out is not None:
        yield NotExamined("further-parts", f"byte {marks.first_left_out}")
    for kind, note in _NOTES.items():
        if places := marks.places(kind):
            yield NotExamined(note, f"byte {places[0]}")
    marked = _Marked(file, head, size, marks.places)
    for reader in (_embedded, _documents, _texts):
        try:
            yield from reader(marked)
        except _DAMAGE:
            yield b""
            yield NotExamined("damaged-part", f"reader {reader.__name__[1:]}")


def unlisted_entries(file: IO[bytes], marks: Marks | None) -> Iterator[Part]:
    """Yield the content of each entry of a zip within a file that is another archive.

    `marks` are those of the file; None lets them be found.
    """
    size = file.seek(0, 2)
    for place in (marks or marks_of(file)).places("zip_entry"):
        yield from packed.zip_entry(file, place, size)


@dataclass(frozen=True, slots=True)
class _Marked:
    """A file, its first bytes and its size, and the places of each kind of mark."""

    file: IO[bytes]
    head: bytes
    size: int
    places: Callable[[str], Sequence[int]]


def _embedded(marked: _Marked) -> Iterator[Part]:
    """Yield the parts of carriers that may begin at any offset."""
    readers = dict(_READERS)
    if marked.places("zip_entry") and has_directory(marked.file):
        # The walk through archives reads the zip, and refuses an entry that is not listed.
        del readers["zip_entry"]
    carriers = [
        # The walk unpacks what begins the file.
        (name, place)
        for name in readers
        for place in marked.places(name)
        if place or name not in packed.MARKS
    ]
    if len(carriers) + len(marked.places("ole")) > _MOST_CARRIERS:
        raise RefusedArchiveError("archive-too-large")
    for name, is_archive in CLOSED.items():
        if any(is_archive(marked.file, place, marked.size) for place in marked.places(name)):
            raise RefusedArchiveError("archive-unsupported")
    work = ole.Effort()
    for place in marked.places("ole"):
        yield from ole.streams(marked.file, place, marked.size, work)
    for name, place in carriers:
        yield from readers[name](marked.file, place, marked.size)
    if marked.head[:3] == b"CWS":
        yield from part(inflated(region(marked.file, 8)))
    elif marked.head[:3] == b"ZWS":
        yield NotExamined("flash", "byte 0")


def _documents(marked: _Marked) -> Iterator[Part]:
    """Yield the streams of a PDF, also behind other bytes, and also without the first line."""
    if not marked.places("pdf") and not marked.places("pdf_end"):
        return
    if marked.places("pdf") and marked.places("pdf_encrypt"):
        yield NotExamined("encrypted-document", f"byte {marked.places('pdf_encrypt')[0] + 1}")
    # The mark begins one byte before the keyword.
    yield from pdf.streams(marked.file, [place + 1 for place in marked.places("pdf_stream")])


def _texts(marked: _Marked) -> Iterator[Part]:
    """Yield what stands encoded as text."""
    if marked.places("mail") or marked.places("begin") or marked.places("yenc"):
        yield from mail.bodies(marked.file)
    if marked.places("uri_base64") or _is_text(marked.head):
        yield from base64_text.runs(region(marked.file, 0))
    else:
        for packet in _packets(marked):
            yield from base64_text.runs(packet)
    if marked.places("uri"):
        yield from data_uris.contents(marked.file, marked.places("uri"))
    if marked.places("rtf"):
        yield from rtf.objects(marked.file, iter(marked.places("rtf_object")))
        yield from rtf.runs(marked.file)


def _packets(marked: _Marked) -> Iterator[Iterator[bytes]]:
    """Yield the metadata that may have base64, piece by piece: XMP, and the covers of music.

    A packet ends with the next packet at the latest, so that each byte is read once.
    """
    starts = sorted([*marked.places("xmp"), *marked.places("vorbis_picture")])
    ends = sorted([*starts, *marked.places("xmp_end"), marked.size])
    for start in starts:
        end = ends[bisect_right(ends, start)]
        yield region(marked.file, start, min(end, start + _LONGEST_PACKET))


def _is_text(head: bytes) -> bool:
    """Tell whether a file begins as text, in UTF-8, in UTF-16, or in an older character set."""
    text = head[2:].replace(b"\0", b"") if head[:2] in (b"\xff\xfe", b"\xfe\xff") else head
    return bool(text) and not text.translate(None, _TEXT + _HIGH)


def _vba(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    yield from part(vba.source_text(file, place))


def _compressed_rtf(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    yield from part(compressed_rtf.text(file, place))


def _disc(file: IO[bytes], place: int, size: int) -> Iterator[Part]:
    if place >= discs.FIRST_DESCRIPTOR:
        yield from discs.files(file, place - discs.FIRST_DESCRIPTOR, size)


_READERS: Final[Mapping[str, Callable[[IO[bytes], int, int], Iterator[Part]]]] = {
    "vba": _vba,
    "iso": _disc,
    "cpio": plain_archives.cpio_members,
    "ar": plain_archives.ar_members,
    "tnef": tnef.attachments,
    "compressed_rtf": _compressed_rtf,
    "zip_entry": packed.zip_entry,
    "gzip": packed.gzip_member,
    "bzip2": packed.bzip2_stream,
    "xz": packed.xz_stream,
}

type Examiner = Callable[[IO[bytes], bytes, Marks | None], Iterator[Part]]
"""Yield the parts that are embedded in a file, given the file, its first bytes and its marks.

The marks are None for a file whose marks were not looked for. The file is seekable, at any
position, and may be of many gigabytes: an examiner reads no more of a file than it needs. Of a file
of another kind the examiner yields nothing. Each yielded part is scanned, and then examined like a
member of an archive. Raises RefusedArchiveError.
"""

EXAMINERS: Final[tuple[Examiner, ...]] = (examine,)
"""The hook of the walk through archives (`archive.contents`).

The walk shows every file to each examiner, unless the file is a zip, a tar or compressed: the
upload itself, members of archives, and embedded parts.
"""
