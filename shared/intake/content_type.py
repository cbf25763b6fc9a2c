"""The media type of a file by what it holds, never by its name."""

import codecs
import re
from typing import Final

import puremagic

HEAD_SIZE: Final = 8192
"""How many of a file's first bytes `detect` wants to see."""

UNKNOWN: Final = "application/octet-stream"

# puremagic answers with every signature that fits, in no useful order; the first of these that it
# names wins. Its file extensions are used as the key because its media types are often empty or
# out of date. The names on the right are IANA's where there is one.
_BY_EXTENSION: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".psd": "image/vnd.adobe.photoshop",
    ".jp2": "image/jp2",
    ".tiff": "image/tiff",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".pdf": "application/pdf",
    ".wav": "audio/vnd.wave",
    ".avi": "video/x-msvideo",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".ogg": "application/ogg",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".rtf": "application/rtf",
    ".eps": "application/postscript",
    ".ps": "application/postscript",
    ".7z": "application/x-7z-compressed",
    ".rar": "application/vnd.rar",
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
    ".doc": "application/x-ole-storage",
}
# Signatures of one or two letters fit any text that happens to begin with them, so they count
# only for what is not text.
_BY_SHORT_EXTENSION: Final = {
    ".exe": "application/vnd.microsoft.portable-executable",
    ".bmp": "image/bmp",
}
# ISO/IEC 14496-12: the major brand says what a box-structured file is. Brands of video are many
# and grow, so every other one is taken for MP4.
_BY_BRAND: Final = {
    b"qt  ": "video/quicktime",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"crx ": "image/x-canon-cr3",
    b"M4A ": "audio/mp4",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
}
_OFFICE: Final = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
# Signatures that say only what a file is wrapped in, and are listed for every type so wrapped.
_WRAPPERS: Final = (b"RIFF", b"PK\x03\x04")
_BIG_TIFF: Final = (b"II+\0", b"MM\0+")
# What may stand before the first element: a declaration, comments, a document type. The groups
# are atomic, so that hostile text cannot make the search backtrack.
_ROOT: Final = re.compile(
    rb"\A(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*+<([A-Za-z_][\w.:-]*)",
    re.DOTALL | re.IGNORECASE,
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def detect(head: bytes, size: int) -> str:
    """Return the media type of a file of `size` bytes that begins with `head`.

    `head` is the file's first `HEAD_SIZE` bytes, or all of it. The answer depends on nothing
    else; what is not recognised is `application/octet-stream`.
    """
    head = head[:HEAD_SIZE]
    if not head:
        return UNKNOWN
    if head[4:8] == b"ftyp":
        return _BY_BRAND.get(head[8:12], "video/mp4")
    if head.startswith(_BIG_TIFF):
        return "image/tiff"
    long, short = _signatures(head)
    if named := _first(_BY_EXTENSION, long):
        return named
    if head.startswith(b"PK\x03\x04"):
        return _office(head) or "application/zip"
    return _text(head, size) or _first(_BY_SHORT_EXTENSION, long | short) or UNKNOWN


def _signatures(head: bytes) -> tuple[set[str], set[str]]:
    """The file extensions whose signatures fit: those of three bytes and more, and the others."""
    long, short = set[str](), set[str]()
    for match in puremagic.magic_string(head):
        # A negative offset is a signature at a file's end, which `head` does not hold.
        if match.offset >= 0 and match.byte_match not in _WRAPPERS:
            (long if len(match.byte_match) >= 3 else short).add(match.extension)
    return long, short


def _first(table: dict[str, str], extensions: set[str]) -> str | None:
    return next((name for extension, name in table.items() if extension in extensions), None)


def _office(head: bytes) -> str | None:
    """The kind of Office Open XML package (ECMA-376 part 2), told by its folders."""
    if b"[Content_Types].xml" not in head and b"_rels/.rels" not in head:
        return None
    return next((name for folder, name in _OFFICE.items() if folder in head), None)


def _text(head: bytes, size: int) -> str | None:
    mark, encoding = next(
        ((mark, name) for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), (b"", "utf-8")
    )
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        # A head that ends within a character is complete only when the file ends there as well.
        text = decoder.decode(head[len(mark) :], final=len(head) >= size)
    except UnicodeDecodeError:
        return None
    if _CONTROLS.search(text):
        return None
    return _markup(text.encode()) or "text/plain"


def _markup(text: bytes) -> str | None:
    root = _ROOT.match(text)
    name = root[1].rpartition(b":")[2].lower() if root else b""
    if name == b"svg":
        return "image/svg+xml"
    if name == b"html":
        return "text/html"
    return "application/xml" if text.startswith(b"<?xml") else None
