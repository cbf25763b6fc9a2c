"""The properties of Office and OpenDocument packages, which name people.

Sources: ECMA-376 part 2, core properties; OpenDocument 1.3 part 3, section 4.3.
"""

import zipfile
from typing import Final

from shared.metadata.worker.result import TOO_LARGE, Metadata, MetadataBuilder, merged
from shared.metadata.worker.svg_and_sidecars import read_elements

_PROPERTIES: Final = ("docProps/core.xml", "docProps/app.xml", "meta.xml")
_MAX_PROPERTIES: Final = 1024 * 1024


def read_package(path: str) -> Metadata:
    """Return the metadata in the properties of the Office or OpenDocument package at `path`."""
    found = MetadataBuilder()
    large = False
    try:
        with zipfile.ZipFile(path) as package:
            for name in set(_PROPERTIES) & set(package.namelist()):
                if package.getinfo(name).file_size > _MAX_PROPERTIES:
                    large = True
                    continue
                with package.open(name) as part:
                    read_elements(part, found)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        # The package is broken, encrypted, or packed by an unknown method.
        found.broken = True
    return merged([found.metadata(), Metadata(note=TOO_LARGE if large else None)])
