"""PDF by pypdf: the document's XMP and its information dictionary (ISO 32000-2, 14.3)."""

import logging

from shared.metadata.worker.iptc_exif_xmp_fields import PDF_INFO
from shared.metadata.worker.pictures import read_packets
from shared.metadata.worker.result import ENCRYPTED, Metadata, MetadataBuilder


def read_pdf(path: str) -> Metadata:
    """Return the metadata of the PDF at `path`, if the PDF opens without a password.

    Raises the errors of pypdf for a broken PDF.
    """
    import pypdf

    # A message of pypdf on a broken file may quote the file.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    found = MetadataBuilder()
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
