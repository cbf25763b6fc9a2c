"""What files say of people, read by native parsers that run in a process of their own.

A package beside the flows, and without imports of its own, so that such a process starts in little
more than the time that the parsers take (see `shared.metadata.reader` for its other end).
"""

from typing import Final

PICTURE: Final = b"P"
PDF: Final = b"D"
MARKUP: Final = b"M"
PACKAGE: Final = b"O"
"""What a file that is handed over is; a bare XMP packet is a picture as well."""

FAILED: Final = 1
OUT_OF_MEMORY: Final = 3
"""Exit statuses of the process: a parser raised something, or had too little memory."""
