"""PDF by pypdf: the document's XMP and its information dictionary (ISO 32000-2, 14.3)."""

import logging

from shared.metadata.worker.fields import PDF_INFO
from shared.metadata.worker.found import ENCRYPTED, Found, Metadata
from shared.metadata.worker.pictures import read_packets


def read_pdf(path: str) -> Metadata:
    """Return what the PDF at `path` says of itself, if it opens without a password.

    Raises what pypdf does of one that is broken.
    """
    import pypdf

    # What it says of a broken file may quote it.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    found = Found()
    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        return Metadata(note=ENCRYPTED)
    for key, value in (reader.metadata or {}).items():
        if (field := PDF_INFO.get(key)) and isinstance(value, str):
            found.add(value, field)
    xmp = reader.root_object.get("/Metadata")
    if xmp is not None:
        read_packets([xmp.get_object().get_data()], found)
    return found.metadata()
