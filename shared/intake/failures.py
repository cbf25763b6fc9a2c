"""Uploads that cannot be inspected: pure rules.

An error of the file comes again at every delivery, and a fault of a service does not. An upload may
also end its process, which raises no error at all.
"""

import errno

from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    RefusalError,
    RowConflictError,
    UnavailableError,
)
from shared.intake.rules import Filing

# Errors that say nothing of the file: of the services, and of another delivery of the same upload.
_PASSING = (
    UnavailableError,
    RowConflictError,
    RefusalError,
    BlobChangedError,
    BlobArchivedError,
    ConnectionError,
    TimeoutError,
)
# A full disk, a full quota, and no more open files or memory of the system.
_EXHAUSTED = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_REFUSED = Filing("refused", "inspection-failed")
_MOST_FAILURES = 2
_MOST_DELIVERIES = 4
_MOST_DELIVERIES_ALONE = 3


def is_exhausted(error: Exception) -> bool:
    """Tell whether an inspection failed for want of disk, files or memory of the system."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


def refuse_failed(error: Exception, deliveries: int) -> Filing | None:
    """Return the filing of an upload whose inspection raised `error`, or None for another attempt.

    `deliveries` counts the deliveries of the upload's message, the present delivery included.
    """
    if isinstance(error, _PASSING) or is_exhausted(error):
        return None
    return _REFUSED if deliveries >= _MOST_FAILURES else None


def must_be_alone(deliveries: int) -> bool:
    """Tell whether an upload that was delivered so often may be ending its process.

    Such an upload is inspected beside no other upload: every upload under work in the process is
    delivered again, and only one is to blame.
    """
    return deliveries > _MOST_DELIVERIES


def refuse_unended(deliveries: int, *, alone: bool) -> Filing | None:
    """Return the filing of an upload that ended its process each time it was alone, or None."""
    return _REFUSED if alone and deliveries > _MOST_DELIVERIES_ALONE else None
