"""The names in the directory of an archive: of files, folders, owners and groups; and comments.

Sources: APPNOTE.TXT 6.3.10 (zip), POSIX pax (tar), RFC 1952 (gzip). Bzip2 and xz keep no name.
"""

import tarfile
import zipfile
from typing import IO, Final

from shared.metadata.parsing import Metadata
from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import MetadataBuilder
from shared.scanning.tar_bzip2_xz import is_tar

_HEAD: Final = 512
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK"
_UTF8: Final = 0x800
# RFC 1952, section 2.3.1: the flags of optional fields before the compressed bytes.
_HEADER: Final = 10
_EXTRA, _NAME, _COMMENT = 4, 8, 16
_MAX_FIELD: Final = 64 * 1024
# Parts of a document whose names are the format's own.
_PARTS: Final = (".bin", ".rels", ".vml", ".xml")


def names_in(archive: IO[bytes], *, is_document: bool = False) -> Metadata:
    """Return the names in an archive, without the names of an archive within.

    `is_document` leaves out the names of an Office file's own parts. A directory that cannot be
    read gets the note "metadata-unreadable".
    """
    found = MetadataBuilder()
    archive.seek(0)
    head = archive.read(_HEAD)
    archive.seek(0)
    try:
        if head.startswith(_GZIP):
            _add_gzip(archive, found)
        elif not head.startswith(_ZIP) and is_tar(head):
            _add_tar(archive, found)
        elif zipfile.is_zipfile(archive):
            _add_zip(archive, found, is_document=is_document)
    except (tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RecursionError, ValueError):
        found.broken = True
    return found.metadata()


def _add_zip(archive: IO[bytes], found: MetadataBuilder, *, is_document: bool) -> None:
    with zipfile.ZipFile(archive) as package:
        for entry in package.infolist():
            name = entry.orig_filename
            if is_document and name.endswith(_PARTS):
                continue
            if entry.flag_bits & _UTF8:
                found.text("ZIP:name", name)
            else:
                found.text("ZIP:name", *decoded(name.encode("cp437")))


def _add_tar(archive: IO[bytes], found: MetadataBuilder) -> None:
    with tarfile.open(fileobj=archive, mode="r:") as package:
        while (member := package.next()) is not None:
            # `tarfile` keeps members as long as the archive is open.
            package.members = []  # type: ignore[attr-defined]  # typeshed leaves it out
            texts = {"name": member.name, "link": member.linkname, "user": member.uname}
            comments = {"group": member.gname, "comment": member.pax_headers.get("comment", "")}
            for field, text in (texts | comments).items():
                found.text(f"TAR:{field}", *decoded(text.encode("utf-8", "surrogateescape")))


def _add_gzip(archive: IO[bytes], found: MetadataBuilder) -> None:
    header = archive.read(_HEADER)
    flags = header[3] if len(header) == _HEADER else 0
    if flags & _EXTRA:
        archive.read(int.from_bytes(archive.read(2), "little"))
    rest = archive.read(_MAX_FIELD) if flags & (_NAME | _COMMENT) else b""
    for flag, field in ((_NAME, "name"), (_COMMENT, "comment")):
        if flags & flag:
            text, end, rest = rest.partition(b"\0")
            found.cut |= not end
            found.text(f"GZIP:{field}", *decoded(text))
