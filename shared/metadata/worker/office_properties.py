"""Packages: the properties of Office, OpenDocument and EPUB files, and authors in the text.

Sources: ECMA-376 parts 1 and 2; OpenDocument 1.3 part 3, sections 4.3, 5.5 and 14; EPUB 3.3,
section 5.5.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import TOO_LARGE, Metadata, MetadataBuilder, merged
from shared.metadata.worker.xml_texts import Where, XmlTexts

_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_STRICT: Final = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_WORD_2012: Final = "http://schemas.microsoft.com/office/word/2012/wordml"
_THREADS: Final = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
_SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_OPF: Final = "http://www.idpf.org/2007/opf"

# Parts whose every text is metadata.
_PROPERTIES: Final = re.compile(
    r"docProps/(?:core|app|custom)[\w.]*\.xml|docMetadata/.*\.xml|meta\.xml|.*/core-properties/.*"
    r"|word/comments\w*\.xml|xl/comments\d*\.xml|xl/comments/.*\.xml|xl/threadedComments/.*\.xml"
    r"|ppt/comments/.*\.xml|customXml/item\d+\.xml",
    re.IGNORECASE,
)
# Parts with authors among other text.
_AUTHORS: Final = re.compile(
    r"word/[^/]*\.xml|ppt/slides/[^/]*\.xml|xl/drawings/[^/]*\.xml|xl/workbook\.xml|xl/persons/.*\.xml|xl/revisions/.*\.xml|ppt/(?:commentAuthors|authors)\.xml"
    r"|(?:.*/)?content\.xml|.*\.opf",
    re.IGNORECASE,
)
# Elements with authors or properties among other text.
_WANTED: Final = frozenset(
    {f"{_OFFICE} annotation", f"{_OFFICE} change-info", f"{_OPF} metadata", f"{_SHEET} author"}
)
_ATTRIBUTES: Final[Mapping[str, str]] = {
    f"{_WORD} author": "w:author",
    f"{_WORD} initials": "w:initials",
    f"{_STRICT} author": "w:author",
    f"{_STRICT} initials": "w:initials",
    f"{_WORD_2012} author": "w15:author",
    f"{_WORD_2012} userId": "w15:userId",
    "descr": "AlternativeText",
    "title": "AlternativeText",
    f"{_WORD} val": "w:docVar",
    "displayName": "Person:displayName",
    "userId": "Person:userId",
    "userName": "Person:userName",
    "name": "Person:author",
}
# Only parts that list people have attributes with these plain names. A workbook names who reserved
# the workbook.
_PEOPLE: Final = re.compile(
    r"xl/(?:persons|revisions)/.*\.xml|ppt/(?:commentAuthors|authors)\.xml", re.IGNORECASE
)
_WORKBOOK: Final = "xl/workbook.xml"
_SETTINGS: Final = "word/settings.xml"
_VARIABLE: Final = f"{_WORD} val"
# The alternative text of a drawing (ECMA-376 part 1, section 20.4.2.5).
_PLAIN_NAMES: Final = frozenset({"descr", "title"})
_NAMES: Final[Mapping[str, str]] = {
    "name": "custom",
    "urn:oasis:names:tc:opendocument:xmlns:meta:1.0 name": "custom",
}
_MAX_PROPERTIES: Final = 1024 * 1024
_MAX_TEXT: Final = 64 * 1024 * 1024


def read_package(path: str) -> Metadata:
    """Return the metadata of the Office, OpenDocument or EPUB file, or any zip, at `path`."""
    found = MetadataBuilder()
    large = False
    try:
        with zipfile.ZipFile(path) as package:
            found.text("ZIP:comment", *decoded(package.comment))
            for entry in package.infolist():
                if entry.comment:
                    found.text("ZIP:comment", *decoded(entry.comment))
            for entry, where in _parts(package):
                limit = _MAX_PROPERTIES if where is _everywhere else _MAX_TEXT
                if entry.file_size > limit:
                    large = True
                    continue
                attributes = _attributes(entry.filename)
                names = _NAMES if where is _everywhere else {}
                texts = XmlTexts(found, where, attributes, names, known_everywhere=False)
                with package.open(entry) as part:
                    large |= not texts.read(part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        # The package is broken, encrypted, or packed by an unknown method.
        found.broken = True
    return merged([found.metadata(), Metadata(note=TOO_LARGE if large else None)])


def _parts(package: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, Where]]:
    """Yield the parts that are read, the properties first."""
    entries = package.infolist()
    for entry in entries:
        if _PROPERTIES.fullmatch(entry.filename):
            yield entry, _everywhere
    for entry in entries:
        if _AUTHORS.fullmatch(entry.filename) and not _PROPERTIES.fullmatch(entry.filename):
            yield entry, _WANTED.__contains__


def _attributes(name: str) -> Mapping[str, str]:
    """Return the fields of the attributes of a part."""
    if _PEOPLE.fullmatch(name):
        return _ATTRIBUTES
    own = _PLAIN_NAMES | ({"userName"} if name.lower() == _WORKBOOK else set())
    # A setting may be a variable of the document, which holds any text.
    left_out = None if name.lower() == _SETTINGS else _VARIABLE
    return {
        key: field
        for key, field in _ATTRIBUTES.items()
        if key != left_out and (" " in key or key in own)
    }


def _everywhere(_: str) -> bool:
    return True
