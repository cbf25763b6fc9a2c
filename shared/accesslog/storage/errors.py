"""Errors of the log's storage."""

from collections.abc import Sequence

from shared.errors import ConflictError, IntegrityError


class LogDamagedError(IntegrityError):
    """Somebody changed a tenant's log past this application; an audit finds the place.

    The log then takes no entries, because new entries would cover up the damage. `index` is the
    index of an entry near the damage.
    """

    def __init__(self, index: int, remedy: str | None = None) -> None:
        super().__init__(f"the log is damaged near entry {index}", remedy)
        self.index = index


class EventIdReusedError(ConflictError):
    """An event's identity came again with different content; the first content stays.

    `refused` has the positions in the call of the refused entries. The log has every further entry
    of the call. `indices` has the index of each entry, and None for a refused entry.
    """

    def __init__(self, indices: Sequence[int | None]) -> None:
        super().__init__(
            "event-id-reused",
            "The log has an entry with other content for an event of this source and id.",
            "Give each event an id of its own, and send a repeated one unchanged.",
        )
        self.indices = indices
        self.refused = [at for at, index in enumerate(indices) if index is None]
