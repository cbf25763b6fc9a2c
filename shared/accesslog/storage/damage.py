"""What is raised when the rows of a log contradict each other."""

from shared.accesslog.storage import layout
from shared.errors import IntegrityError
from shared.merkle import ProofError
from shared.ports import Row


class LogDamagedError(IntegrityError):
    """A tenant's log was changed past this application: `LogStore.audit` tells what and where.

    Nothing is appended to such a log, as that would cover up the damage. `index` is about where.
    """

    def __init__(self, index: int, remedy: str | None = None) -> None:
        super().__init__(f"the log is damaged near entry {index}", remedy)
        self.index = index


def readable_segment(row: Row) -> layout.Segment:
    """The segment that a segment's row keeps. Raises LogDamagedError when it cannot be read."""
    first = layout.first_of(row)
    try:
        return layout.segment_of(row)
    except ProofError as error:
        raise LogDamagedError(first) from error
