"""The media type of a file by content, never by name."""

import codecs
import re
from functools import lru_cache
from typing import Final

import puremagic

from shared.scanning.raw_photos import raw_photo

HEAD_SIZE: Final = 8192
"""Number of a file's first bytes that `detect` needs."""

UNKNOWN: Final = "application/octet-stream"

# puremagic answers with every matching signature, in no useful order. The first extension of the
# table that puremagic names decides. The key is puremagic's file extension, because puremagic's
# media types are often empty or out of date. The media types on the right are IANA's, if IANA has
# registered a type.
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
    ".mkv": "video/matroska",
    ".webm": "video/webm",
    ".mpg": "video/mpeg",
    ".flv": "video/x-flv",
    ".asf": "video/x-ms-asf",
    ".mov": "video/quicktime",
    ".ogg": "application/ogg",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".aiff": "audio/aiff",
    ".amr": "audio/amr",
    ".mid": "audio/midi",
    ".jxl": "image/jxl",
    ".jxr": "image/jxr",
    ".exr": "image/aces",
    ".hdr": "image/vnd.radiance",
    ".xcf": "image/x-xcf",
    ".djvu": "image/vnd.djvu",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".otf": "font/otf",
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
# Signatures of one or two letters match any text that begins with the letters. Hence these
# signatures count for binary files only.
_BY_SHORT_EXTENSION: Final = {
    ".exe": "application/vnd.microsoft.portable-executable",
    ".bmp": "image/bmp",
    ".jxl": "image/jxl",
    ".aac": "audio/aac",
    ".mp1": "audio/mpeg",
}
# ISO/IEC 14496-12: the major brand names the type of a file made of boxes. Brands of video are many
# and grow, so an unknown brand counts as MP4.
_BY_BRAND: Final = {
    b"qt  ": "video/quicktime",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"hevm": "image/heic-sequence",
    b"hevs": "image/heic-sequence",
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"crx ": "image/x-canon-cr3",
    b"mqt ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"M4P ": "audio/mp4",
}
# Phones' brands are numbered by release: 3GPP TS 26.244 section 5.
_BY_BRAND_START: Final = {b"3gp": "video/3gpp", b"3g2": "video/3gpp2"}
# The general brands of HEIF leave the coding to the compatible brands: ISO/IEC 23008-12 section 10.
_GENERAL: Final = (b"mif1", b"msf1", b"miaf")
# A QuickTime file from the time before brands begins with one of these boxes.
_QUICKTIME: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
# Readers look for the header in the first 1,024 bytes: ISO 32000-1 Annex H, implementation note 13
# of the PDF Reference 1.7. A text about PDF also has a header, so an object must follow.
_PDF: Final = re.compile(rb"%PDF-[12]\.[0-9]")
_PDF_START: Final = 1024
_OBJECT: Final = re.compile(rb"[0-9] obj\b")
_OFFICE: Final = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
# Signatures of a container format, which puremagic lists for every type in the container.
_WRAPPERS: Final = (b"RIFF", b"PK\x03\x04")
_BIG_TIFF: Final = (b"II+\0", b"MM\0+")
# The prologue before the first element: a declaration, comments, a document type. The groups are
# atomic, so that hostile text cannot make the search backtrack.
_ROOT: Final = re.compile(
    rb"\A(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*+<([A-Za-z_][\w.:-]*)",
    re.DOTALL | re.IGNORECASE,
)
# Elements that make a file HTML to a browser: WHATWG MIME Sniffing Standard, section 7.1.
_HTML: Final = frozenset(
    b"a b body br div font h1 head html iframe p script style table title".split()
)
_HTML_TYPE: Final = re.compile(rb"\s*<!DOCTYPE\s+html\b", re.IGNORECASE)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def detect(head: bytes, size: int) -> str:
    """Return the media type of a file of `size` bytes that begins with `head`.

    `head` is the file's first `HEAD_SIZE` bytes, or the whole file. The answer depends on the two
    arguments alone. An unknown type is `application/octet-stream`.
    """
    head = head[:HEAD_SIZE]
    return _detected(head, size <= len(head))


# Both the inspection and the scan of an upload ask for the type.
@lru_cache(maxsize=32)
def _detected(head: bytes, whole: bool) -> str:
    if not head:
        return UNKNOWN
    return _by_structure(head) or _by_signature(head) or _by_text(head, whole) or UNKNOWN


def _by_structure(head: bytes) -> str | None:
    """Return the type of a file that begins with boxes or with a TIFF header."""
    if head[4:8] == b"ftyp":
        return _branded(head)
    length = int.from_bytes(head[:4])
    # A length of 1 means that the length follows: ISO/IEC 14496-12 section 4.2.
    if head[4:8] in _QUICKTIME and (length == 1 or length >= 8):
        return "video/quicktime"
    return "image/tiff" if head.startswith(_BIG_TIFF) else raw_photo(head)


def _by_signature(head: bytes) -> str | None:
    long, _ = _signatures(head)
    if named := _first(_BY_EXTENSION, long):
        return named
    return (_office(head) or "application/zip") if head.startswith(b"PK\x03\x04") else None


def _by_text(head: bytes, whole: bool) -> str | None:
    """Return the type of text, of PDF after other bytes, or by a two-letter signature."""
    text = _text(head, whole)
    header = _PDF.search(head, 0, _PDF_START)
    if header and (text is None or _OBJECT.search(head, header.end())):
        return "application/pdf"
    long, short = _signatures(head)
    return text or _first(_BY_SHORT_EXTENSION, long | short)


def _branded(head: bytes) -> str:
    """Return the type by the major brand of the ftyp box, or by a compatible brand."""
    major = head[8:12]
    named = _BY_BRAND.get(major) or _BY_BRAND_START.get(major[:3])
    if major in _GENERAL:
        end = min(int.from_bytes(head[:4]), len(head))
        agreed = [head[at : at + 4] for at in range(16, end - 3, 4)]
        coded = [_BY_BRAND[brand] for brand in agreed if brand in _BY_BRAND]
        return next((one for one in coded if "heif" not in one), named or "image/heif")
    return named or "video/mp4"


def _signatures(head: bytes) -> tuple[set[str], set[str]]:
    """Return the file extensions whose signatures match: three bytes or longer, and shorter."""
    long, short = set[str](), set[str]()
    for match in puremagic.magic_string(head):
        # A negative offset is a signature at a file's end, which `head` does not hold.
        if match.offset >= 0 and match.byte_match not in _WRAPPERS:
            (long if len(match.byte_match) >= 3 else short).add(match.extension)
    return long, short


def _first(table: dict[str, str], extensions: set[str]) -> str | None:
    return next((name for extension, name in table.items() if extension in extensions), None)


def _office(head: bytes) -> str | None:
    """Return the kind of Office Open XML package (ECMA-376 part 2), told by its folders."""
    if b"[Content_Types].xml" not in head and b"_rels/.rels" not in head:
        return None
    return next((name for folder, name in _OFFICE.items() if folder in head), None)


def _text(head: bytes, whole: bool) -> str | None:
    mark, encoding = next(
        ((mark, name) for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), (b"", "utf-8")
    )
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        # A head that ends within a character is complete only where the file ends as well.
        text = decoder.decode(head[len(mark) :], final=whole)
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
    # XMP part 1, Annex A: the type of a sidecar file. Adobe wrote `xapmeta` until 2003.
    if name in (b"xmpmeta", b"xapmeta", b"rdf"):
        return "application/rdf+xml"
    is_xml = text.startswith(b"<?xml")
    if name == b"html" or (not is_xml and (name in _HTML or _HTML_TYPE.match(text))):
        return "text/html"
    return "application/xml" if is_xml else None
