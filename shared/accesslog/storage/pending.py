"""Calls to append, the entries in them, and what becomes of each. No I/O."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.accesslog.storage.content import Same
from shared.accesslog.storage.nodes import Shape
from shared.errors import ConflictError, TooLargeError, UnavailableError
from shared.merkle import MAX_ENTRY, leaf_hash


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to append. `source` and `id` identify its event, as CloudEvents does.

    `payload` is the entry's exact bytes, at most 65,535.
    """

    source: str
    id: str
    payload: bytes


class EventIdReusedError(ConflictError):
    """An event's identity came again with other content; the first content stays.

    `refused` are the positions in the call of the entries that are not in the log. All others of
    the call are: `indices` tells where, None for a refused one.
    """

    def __init__(self, indices: Sequence[int | None]) -> None:
        super().__init__(
            "event-id-reused",
            "The log has an entry with other content for an event of this source and id.",
            "Give each event an id of its own, and send a repeated one unchanged.",
        )
        self.indices = indices
        self.refused = [at for at, index in enumerate(indices) if index is None]


class PendingEntry:
    """One entry of a call on its way into the log."""

    __slots__ = ("call", "digest", "entry", "leaf", "position", "repeats")

    def __init__(self, entry: NewEntry, call: "PendingAppend", position: int, shape: Shape) -> None:
        self.entry = entry
        self.call = call
        self.position = position
        self.leaf = leaf_hash(entry.payload)
        self.digest = shape.digest(entry.source, entry.id)
        # The same event in this or another call of the same group.
        self.repeats: list[PendingEntry] = []

    @property
    def identity(self) -> tuple[str, str]:
        """What tells one event from all others."""
        return self.entry.source, self.entry.id

    @property
    def is_settled(self) -> bool:
        """Whether it is known where it is, or that it is refused."""
        return self.call.is_settled(self.position)

    def settle(self, index: int, kept: bytes | None, same: Same) -> None:
        """It, or another of its event, is in the log as `kept`; None for a redacted entry.

        What has other content than that is refused.
        """
        for item in (self, *self.repeats):
            is_same = kept is None or same(kept, item.entry.payload)
            item.call.settle(item.position, index if is_same else None)


class PendingAppend:
    """The entries of one caller, and how far they have come.

    Hashes all of them when it is made, so that this happens while another commit is under way.
    Raises TooLargeError for an entry that no bundle can hold.
    """

    def __init__(self, entries: Iterable[NewEntry], shape: Shape) -> None:
        self.items = [PendingEntry(entry, self, at, shape) for at, entry in enumerate(entries)]
        if any(len(item.entry.payload) > MAX_ENTRY for item in self.items):
            raise TooLargeError(
                "log-entry-too-large",
                f"An entry of the log is at most {MAX_ENTRY:,} bytes.",
                "Shorten the fields of the entry.",
            )
        self.taken = 0
        self.answer: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._indices: dict[int, int | None] = {}

    def is_settled(self, position: int) -> bool:
        """Whether it is known what has become of the entry at `position`."""
        return position in self._indices

    def settle(self, position: int, index: int | None) -> None:
        """Note where an entry is, None for one that is refused; the last one gives the answer."""
        self._indices[position] = index
        if len(self._indices) < len(self.items) or self.answer.done():
            return
        indices = [self._indices[at] for at in range(len(self.items))]
        known = [index for index in indices if index is not None]
        if len(known) < len(indices):
            self.answer.set_exception(EventIdReusedError(indices))
        else:
            self.answer.set_result(known)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error, unless it has its answer or went away."""
        if self.answer.done():
            return
        match error:
            case UnavailableError(service=service):
                # One of its own, as each caller adds its traceback.
                self.answer.set_exception(UnavailableError(service))
            case asyncio.CancelledError():
                self.answer.cancel()
            case _:
                self.answer.set_exception(error)


def distinct(items: Iterable[PendingEntry]) -> list[PendingEntry]:
    """The unsettled items of different events; a repeat goes with the first of its event."""
    firsts: dict[tuple[str, str], PendingEntry] = {}
    for item in items:
        if item.is_settled:
            continue
        item.repeats = []
        first = firsts.setdefault(item.identity, item)
        if first is not item:
            first.repeats.append(item)
    return list(firsts.values())
