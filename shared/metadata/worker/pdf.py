"""PDF by pypdf: XMP, the information dictionary, outlines, and annotations.

Source: ISO 32000-2, sections 12.3.3, 12.5 and 14.3.
"""

import logging
import time
from collections.abc import Iterator
from typing import Final

import pypdf
from pypdf.generic import (
    DictionaryObject,
    IndirectObject,
    NameObject,
    StreamObject,
    TextStringObject,
)

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.iptc_exif_xmp_fields import PDF_INFO, Field
from shared.metadata.worker.pdf_trees import add_trees
from shared.metadata.worker.result import (
    ENCRYPTED,
    TOO_LARGE,
    UNREADABLE,
    Metadata,
    MetadataBuilder,
    merged,
)
from shared.metadata.worker.xmp import read_packets

# Seconds of processor time for outlines and annotations, and limits for a hostile file.
_MAX_SECONDS: Final = 2.5
_MAX_DEPTH: Final = 16
_MAX_OBJECTS: Final = 100_000

# Entries of an annotation with text of people (tables 166 and 172), and of a form's field (226).
_ANNOTATION: Final = {
    "/T": "PDF:Annotation/Author",
    "/Contents": "PDF:Annotation/Contents",
    "/Subj": "PDF:Annotation/Subject",
    "/NM": "PDF:Annotation/Name",
    "/RC": "PDF:Annotation/RichContents",
    "/V": "PDF:Field/Value",
    "/TU": "PDF:Field/Name",
}
_SIGNATURE: Final = ("/Name", "/Reason", "/Location", "/ContactInfo")


def read_pdf(path: str) -> Metadata:
    """Return the metadata of the PDF at `path`, if the PDF opens without a password.

    Raises the errors of pypdf for a PDF whose beginning or end is broken.
    """
    # A message of pypdf on a broken file may quote the file.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    found = MetadataBuilder()
    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        return Metadata(note=ENCRYPTED)
    notes = []
    for part in _PARTS:
        try:
            part(reader, found)
        except TimeoutError:
            notes.append(Metadata(note=TOO_LARGE))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - pypdf raises anything for a broken object
            notes.append(Metadata(note=UNREADABLE))
    return merged([found.metadata(), *notes])


def _read_information(reader: pypdf.PdfReader, found: MetadataBuilder) -> None:
    for key, value in (reader.metadata or {}).items():
        _add(f"PDF:{key[1:]}", value, found, PDF_INFO.get(key))


def _read_xmp(reader: pypdf.PdfReader, found: MetadataBuilder) -> None:
    """Add the XMP of the document, of the pages, and of the pictures and forms on the pages."""
    xmp = reader.root_object.get("/Metadata")
    if xmp is not None:
        read_packets([xmp.get_object().get_data()], found)
    budget = _Budget()
    for page in _pages(reader, budget, found):
        resources = _object(page.get("/Resources"), found)
        drawn = resources.get("/XObject") if isinstance(resources, DictionaryObject) else None
        objects = _object(drawn, found)
        links = list(objects.values()) if isinstance(objects, DictionaryObject) else []
        for link in (page, *links):
            one = _object(link, found)
            stream = one.get("/Metadata") if isinstance(one, DictionaryObject) else None
            packet = _object(stream, found)
            if isinstance(packet, StreamObject) and budget.is_new(stream, packet):
                read_packets([packet.get_data()], found)


def _read_attachments(reader: pypdf.PdfReader, found: MetadataBuilder) -> None:
    """Note attached files, which no reader opens."""
    names = _object(reader.root_object.get("/Names"), found)
    attached = isinstance(names, DictionaryObject) and "/EmbeddedFiles" in names
    found.partial |= attached or "/AF" in reader.root_object


def _read_trees(reader: pypdf.PdfReader, found: MetadataBuilder) -> None:
    """Add the texts of page labels, layers, destinations, alternative texts and programs' data."""
    pages = [page for page in _pages(reader, _Budget(), found) if "/PieceInfo" in page]
    add_trees([*pages, reader.root_object], found)


def _read_outlines(reader: pypdf.PdfReader, found: MetadataBuilder) -> None:
    """Add the titles of the outline, each item once, whatever the links between the items."""
    budget = _Budget()
    outlines = _object(reader.root_object.get("/Outlines"), found)
    waiting = [outlines.get("/First")] if isinstance(outlines, DictionaryObject) else []
    while waiting:
        link = waiting.pop()
        item = _object(link, found)
        if not isinstance(item, DictionaryObject) or not budget.is_new(link, item):
            continue
        _add("PDF:Outline", item.get("/Title"), found)
        waiting += [item.get("/Next"), item.get("/First")]


def _read_annotations(reader: pypdf.PdfReader, found: MetadataBuilder) -> None:
    """Add the authors and texts of annotations, and the fields of forms."""
    budget = _Budget()
    for page in _pages(reader, budget, found):
        for link in _listed(page.get("/Annots"), found):
            annotation = _object(link, found)
            if isinstance(annotation, DictionaryObject) and budget.is_new(link, annotation):
                _add_annotation(annotation, found)
    form = _object(reader.root_object.get("/AcroForm"), found)
    waiting = _listed(form.get("/Fields"), found) if isinstance(form, DictionaryObject) else []
    while waiting:
        link = waiting.pop()
        field = _object(link, found)
        if isinstance(field, DictionaryObject) and budget.is_new(link, field):
            _add_annotation(field, found)
            waiting += _listed(field.get("/Kids"), found)


def _pages(
    reader: pypdf.PdfReader, budget: "_Budget", found: MetadataBuilder
) -> Iterator[DictionaryObject]:
    """Yield the pages of the tree of pages, each once."""
    waiting = [reader.root_object.get("/Pages")]
    while waiting:
        link = waiting.pop()
        node = _object(link, found)
        if isinstance(node, DictionaryObject) and budget.is_new(link, node):
            kids = _listed(node.get("/Kids"), found)
            waiting += reversed(kids)
            if not kids:
                yield node


def _add_annotation(annotation: DictionaryObject, found: MetadataBuilder) -> None:
    is_field = "/FT" in annotation
    for key, field in _ANNOTATION.items():
        # The title of a form's field is the field's own name.
        name = "PDF:Field/Title" if key == "/T" and is_field else field
        value = _object(annotation.get(key), found)
        if isinstance(value, DictionaryObject):
            for entry in _SIGNATURE:
                _add(f"PDF:Signature{entry}", value.get(entry), found)
        else:
            _add(name, value, found)


def _add(
    field: str, value: object, found: MetadataBuilder, known: Field | None = None, depth: int = 3
) -> None:
    """Add a text, a name, bytes, or an array of these; any of which may be an indirect object."""
    value = _object(value, found)
    if isinstance(value, list) and depth:
        for one in value:
            _add(field, one, found, known, depth - 1)
        return
    readings: tuple[str, ...] = ()
    if isinstance(value, bytes):
        text, readings = decoded(bytes(value))
    elif isinstance(value, NameObject):
        text = value[1:]
    elif isinstance(value, str):
        text = str(value)
        raw = value.original_bytes if isinstance(value, TextStringObject) else b""
        # Writers put the encoding of their own system in the place of PDFDocEncoding.
        if not (raw.isascii() or raw.startswith((b"\xfe\xff", b"\xff\xfe"))):
            first, others = decoded(raw)
            readings = (first, *others)
    else:
        return
    found.text(field, text, readings)
    if known is not None:
        found.add(text, known)


def _object(value: object, found: MetadataBuilder) -> object:
    """Return the object behind references; None for a broken object, which is marked."""
    try:
        for _ in range(_MAX_DEPTH):
            if not isinstance(value, IndirectObject):
                break
            value = value.get_object()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pypdf raises anything for a broken object
        found.broken = True
        return None
    return value


def _listed(value: object, found: MetadataBuilder) -> list[object]:
    value = _object(value, found)
    return list(value) if isinstance(value, list) else []


class _Budget:
    """The objects that were seen, and the time that is left."""

    def __init__(self) -> None:
        self._seen: set[object] = set()
        self._until = time.process_time() + _MAX_SECONDS / 2

    def is_new(self, link: object, found: object) -> bool:
        """Tell whether the object is new. Raises TimeoutError when no time or room is left."""
        key: object = id(found)
        if isinstance(link, IndirectObject):
            key = (link.idnum, link.generation)
        if key in self._seen:
            return False
        self._seen.add(key)
        if len(self._seen) > _MAX_OBJECTS or time.process_time() > self._until:
            raise TimeoutError
        return True


_PARTS: Final = (
    _read_information,
    _read_xmp,
    _read_outlines,
    _read_annotations,
    _read_attachments,
    _read_trees,
)
