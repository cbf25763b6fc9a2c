"""The notes on records, besides the notes of the reading (`metadata.worker.result`)."""

from typing import Final

NOT_OPENED: Final = "metadata-not-opened"
"""The note on a record whose data key is destroyed, disabled or wrong."""
UNREAD: Final = "metadata-unread"
"""The note on an asset that was refused before anything was read."""
