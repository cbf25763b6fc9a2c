"""Metadata at the head of text: HTML, RTF, PostScript, vCard, e-mail, and Takeout's JSON.

Sources: HTML Living Standard, section 4.2; Adobe, Document Structuring Conventions 3.0; RFC 6350
and vCard 2.1; RFC 5322 and RFC 2047.
"""

import codecs
import json
import quopri
import re
from collections.abc import Callable, Iterator, Mapping
from email import policy
from email.parser import BytesHeaderParser
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.plain_texts import add_plain
from shared.metadata.worker.result import TOO_LARGE, Metadata, MetadataBuilder, merged
from shared.metadata.worker.rtf import add_rtf
from shared.metadata.worker.text_kinds import kind_of

_MAX_FILE: Final = 64 * 1024 * 1024
_MAX_HEAD: Final = 1024 * 1024
# Bytes in which a file names its encoding.
_HEAD: Final = 4096


def read_text(path: str) -> Metadata:
    """Return the metadata of the text at `path`; the whole text, for a text of no known kind."""
    found = MetadataBuilder()
    with Path(path).open("rb") as file:
        data = file.read(_MAX_FILE + 1)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    notes = [Metadata(note=TOO_LARGE)] if len(data) > _MAX_FILE else []
    _ADD[kind_of(data) or "plain"](data, found)
    return merged([found.metadata(), *notes])


def _add_html(data: bytes, found: MetadataBuilder) -> None:
    declared = _CHARSET.search(data, 0, _HEAD)
    charset = declared[1].decode("ascii").lower() if declared else "utf-8"
    try:
        # A declaration that can be read is not in UTF-16 (HTML Living Standard, section 13.2.3.2).
        text = data.decode("utf-8" if charset.startswith("utf-16") else charset)
    except (UnicodeDecodeError, LookupError):
        text = decoded(data)[0]
    parser = _Html(found)
    parser.feed(text)
    parser.close()


_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z][\w.:-]*)", re.IGNORECASE)


class _Html(HTMLParser):
    """Add the title, the contents of `meta`, and what `link` and `a` say of the author."""

    def __init__(self, found: MetadataBuilder) -> None:
        super().__init__()
        self._found = found
        self._title: list[str] | None = None
        self._is_linked_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a start tag."""
        values = {name: value or "" for name, value in attrs}
        self._is_linked_data = tag == "script" and "json" in values.get("type", "").lower()
        for name in ("alt", "aria-label"):
            self._found.text(f"HTML:{name}", values.get(name, ""))
        if tag == "meta":
            names = (values.get(key) for key in ("name", "property", "itemprop", "http-equiv"))
            name = next((name for name in names if name), "meta")
            self._found.text(f"HTML:{name}", values.get("content", ""))
        elif tag == "title" and self._title is None:
            self._title = []
        elif "author" in values.get("rel", "").lower().split():
            self._found.text("HTML:author", values.get("title", ""))
            self._found.text("HTML:author", values.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        """Take an end tag."""
        self._is_linked_data = False
        if tag == "title" and self._title is not None:
            self._found.text("HTML:title", "".join(self._title))
            self._title = None

    def handle_comment(self, data: str) -> None:
        """Take a comment."""
        self._found.text("HTML:comment", data)

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._is_linked_data:
            self._found.text("HTML:ld+json", data)
        if self._title is not None:
            self._title.append(data)


def _add_postscript(data: bytes, found: MetadataBuilder) -> None:
    for match in _DSC.finditer(data):
        keyword = match[1].decode("ascii")
        value = match[2].strip()
        if value and value != b"(atend)":
            found.text(f"DSC:{keyword}", *decoded(value.strip(b"()")))
    for note in _NOTES.findall(data[:_MAX_HEAD]):
        found.text("PostScript:comment", *decoded(note))
    for marks in _PDFMARK.findall(data):
        for text in _STRING.findall(marks):
            found.text("PostScript:pdfmark", *decoded(_ESCAPE.sub(rb"\1", text)))


# Comments of programs and people among the many about resources and pages.
_DSC: Final = re.compile(
    rb"^%%(Title|Creator|For|Author|Copyright|Routing|AI\w{1,40}|Keywords|Subject):"
    rb"[ \t]*([^\r\n]{1,4096})",
    re.MULTILINE,
)


# A comment of a line alone; and the texts that become metadata when a PDF is made ("pdfmark
# Reference", Adobe).
_NOTES: Final = re.compile(rb"^%(?![%!])([^\r\n]{1,4096})", re.MULTILINE)
_PDFMARK: Final = re.compile(rb"\[([^\[]{1,65536}?)\bpdfmark\b")
_STRING: Final = re.compile(rb"\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\([()\\])")


def _add_vcard(data: bytes, found: MetadataBuilder) -> None:
    text, _ = decoded(data)
    is_legacy = data.isascii() is False and "\ufffd" in data.decode("utf-8", "replace")
    lines = _unfolded(data if is_legacy else text.encode())
    for line in lines:
        head, colon, value = line.partition(b":")
        name, *parameters = head.split(b";")
        name = name.rpartition(b".")[2].strip().upper()
        if not colon or name in _NO_VCARD:
            continue
        upper = [parameter.upper() for parameter in parameters]
        if any(b"BASE64" in one or one in (b"ENCODING=B", b"B") for one in upper):
            continue
        if any(b"QUOTED-PRINTABLE" in one for one in upper):
            value = quopri.decodestring(value)
        charset = next((one[8:] for one in upper if one.startswith(b"CHARSET=")), b"")
        _add_value(f"vCard:{name.decode('ascii', 'replace')}", value, charset, found)


def _add_value(field: str, value: bytes, charset: bytes, found: MetadataBuilder) -> None:
    shown, readings = decoded(value)
    try:
        if charset and shown != (declared := value.decode(charset.decode("ascii"))):
            shown, readings = declared, (shown, *readings)
    except (UnicodeDecodeError, LookupError):
        pass
    found.text(field, _plain(shown), map(_plain, readings))


def _plain(value: str) -> str:
    """Return a value without its escapes, the parts of a structure parted by spaces."""
    value = value.replace("\\n", " ").replace("\\N", " ").replace("\\,", ",")
    return re.sub(r"(?<!\\);", " ", value).replace("\\;", ";")


def _unfolded(data: bytes) -> Iterator[bytes]:
    """Yield lines; a line that begins with a space continues the line before (RFC 6350, 3.2)."""
    line = b""
    for more in data.splitlines():
        soft = line.endswith(b"=") and b"QUOTED-PRINTABLE" in line.partition(b":")[0].upper()
        if soft:
            line = line[:-1] + more
        elif more[:1] in (b" ", b"\t"):
            line += more[1:]
        else:
            yield line
            line = more
    yield line


_NO_VCARD: Final = frozenset(
    {b"BEGIN", b"END", b"VERSION", b"PHOTO", b"LOGO", b"SOUND", b"KEY", b"REV"}
)


# Parts of a mail that have headers, names or metadata of their own, and a further mail of a box.
_FURTHER: Final = re.compile(
    rb"^Content-Type:\s*(?!text/|multipart/)[\w.+-]+/|^Content-Disposition:\s*attachment|"
    rb"^\r?\nFrom \S+ ",
    re.IGNORECASE | re.MULTILINE,
)


def _add_mail(data: bytes, found: MetadataBuilder) -> None:
    found.partial |= _FURTHER.search(data) is not None
    head = re.split(rb"\r?\n\r?\n", data[:_MAX_HEAD], maxsplit=1)[0]
    message = BytesHeaderParser(policy=policy.compat32).parsebytes(head + b"\n\n")
    for name, value in message.raw_items():
        raw = str(value).encode("utf-8", "surrogateescape")
        shown, readings = decoded(raw)
        found.text(f"Mail:{name}", _words(" ".join(shown.split())), readings)


def _words(value: str) -> str:
    """Decode the words that RFC 2047 packs into ASCII."""
    from email.errors import HeaderParseError
    from email.header import decode_header

    parts = []
    try:
        for part, charset in decode_header(value):
            if isinstance(part, str):
                parts.append(part)
                continue
            try:
                parts.append(part.decode(charset or "utf-8"))
            except (UnicodeDecodeError, LookupError):
                parts.append(decoded(part)[0])
    except (HeaderParseError, ValueError):
        return value
    return "".join(parts)


def _add_takeout(data: bytes, found: MetadataBuilder) -> None:
    try:
        content = json.loads(data) if len(data) <= _MAX_HEAD else None
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict | list):
        is_takeout = isinstance(content, dict) and len(_TAKEOUT & content.keys()) >= 2
        kind = "Takeout" if is_takeout else "JSON"
        _add_members(kind, content, found, 20)
    else:
        add_plain(data, found)


# Members of Takeout's record of a photo or an album.
_TAKEOUT: Final = frozenset(
    {
        *("title", "description", "people", "photoTakenTime", "creationTime", "geoData"),
        *("geoDataExif", "url", "imageViews", "googlePhotosOrigin", "photoLastModifiedTime"),
        *("sharedAlbumComments", "albumData", "comments"),
    }
)


def _add_members(path: str, value: object, found: MetadataBuilder, depth: int) -> None:
    if isinstance(value, str):
        head, _, tail = path.partition("/")
        found.text(f"{head}:{tail}", value)
    elif isinstance(value, list | dict) and depth:
        if isinstance(value, dict) and path.startswith("JSON"):
            for name in value:
                found.text("JSON:name", name)
        members = value.items() if isinstance(value, dict) else (("", one) for one in value)
        for name, member in members:
            _add_members(f"{path}/{name}" if name else path, member, found, depth - 1)
    elif isinstance(value, list | dict):
        found.cut = True


_ADD: Final[Mapping[str, Callable[[bytes, MetadataBuilder], None]]] = {
    "html": _add_html,
    "mail": _add_mail,
    "plain": add_plain,
    "postscript": _add_postscript,
    "rtf": add_rtf,
    "takeout": _add_takeout,
    "vcard": _add_vcard,
}
