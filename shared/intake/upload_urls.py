"""The lifetime of an upload and of its URLs: pure rules."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from shared.errors import ConflictError
from shared.ids import time_of

UPLOAD_URL_LIFETIME: Final = timedelta(minutes=15)
# A URL lives for minutes, but a running upload may take much longer.
UPLOAD_LIFETIME: Final = timedelta(days=1)
"""Time from an upload's permission to the end of the upload's last URL."""
LONGEST_REQUEST: Final = timedelta(days=1)
"""Time that a request may take which began before the URL ended: storage checks the beginning."""


def url_expiry(upload: str, now: datetime) -> datetime:
    """Return the end of a URL that is given now for the upload with the id `upload`.

    Raises ConflictError for an id, repeated by its Idempotency-Key, whose upload has lapsed.
    """
    end = time_of(upload) + UPLOAD_LIFETIME
    if now >= end:
        raise ConflictError(
            "upload-lapsed",
            "The upload was permitted more than a day ago, and its time is over.",
            "Ask with a new Idempotency-Key.",
        )
    return min(now + UPLOAD_URL_LIFETIME, end)


def check_unfinished(upload: str, finished: Collection[str]) -> None:
    """Check that an upload may still come. Raises ConflictError for an id of `finished`."""
    if upload in finished:
        raise ConflictError(
            "upload-finished",
            "The upload came, and was filed, refused or erased.",
            "Ask for the upload to see its asset, or ask with a new Idempotency-Key.",
        )
