"""The worker process that reads texts from files, with native parsers.

The package imports no further part of the app. A worker therefore starts in little more than the
parsers' time to load. The calling process is in `shared.metadata.worker_process`.
"""

from typing import Final

PICTURE: Final = b"P"
PACKET: Final = b"X"
PDF: Final = b"D"
MARKUP: Final = b"M"
PACKAGE: Final = b"O"
OLE: Final = b"L"
AUDIO: Final = b"A"
GIF: Final = b"G"
TEXT: Final = b"T"
"""Kinds of files that are handed over; a packet is XMP without a file."""

THUMBNAIL: Final = b"S"
"""A picture that is handed over to be rendered small, and not to be read."""

FAILED: Final = 1
OUT_OF_MEMORY: Final = 3
"""Exit statuses of the process: a parser raised an error, or ran out of memory."""
