"""Find a manifest of C2PA in a stream of bytes: no reader reads the names in a manifest.

A manifest is a store of JUMBF boxes, which every type of file carries as plain bytes: C2PA
specification 2.1, section 11 and annex A.
"""

from typing import Final

# The description box of a store, with the type "c2pa" as a UUID (ISO/IEC 19566-5, annex B).
_STORE: Final = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x008\x9bq"


class ManifestFinder:
    """Look for a manifest; `found` tells whether a manifest has come by."""

    def __init__(self) -> None:
        self.found = False
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self.found:
            return
        joint = self._end + chunk[: len(_STORE)]
        self.found = _STORE in chunk or _STORE in joint
        self._end = (self._end + chunk[-len(_STORE) :])[-len(_STORE) :]
