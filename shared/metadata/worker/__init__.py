"""The worker process that reads names of people from files, with native parsers.

The package imports nothing else of the app, so that a worker starts in little more than the time
that the parsers take to load (see `shared.metadata.worker_process` for the process that asks).
"""

from typing import Final

PICTURE: Final = b"P"
PDF: Final = b"D"
MARKUP: Final = b"M"
PACKAGE: Final = b"O"
"""Kinds of files that are handed over; a bare XMP packet is a picture as well."""

FAILED: Final = 1
OUT_OF_MEMORY: Final = 3
"""Exit statuses of the process: a parser raised an error, or ran out of memory."""
