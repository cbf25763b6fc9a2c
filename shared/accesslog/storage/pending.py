"""Calls to append, the entries of each call, and the answer to each. No I/O."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.accesslog.payloads import same_content
from shared.accesslog.storage.errors import EventIdReusedError
from shared.accesslog.storage.event_secret import EventSecretError, HmacKey
from shared.accesslog.storage.events import EventKey
from shared.errors import TooLargeError, UnavailableError
from shared.merkle import MAX_ENTRY, leaf_hash


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to append. `source` and `id` identify the event, as in CloudEvents.

    `payload` has the entry's exact bytes, at most 65,535.
    """

    source: str
    id: str
    payload: bytes


class PendingEntry:
    """An entry of a call that waits for a commit.

    `row_key` is the RowKey of the event's row, under the log's HMAC key. `astray` is the ETag of
    the event's row, if the row leads to no entry of the event; the commit replaces the row.
    `repeats` are entries of the same event in the same group.
    """

    __slots__ = ("_key", "astray", "call", "entry", "leaf", "position", "repeats", "row_key")

    def __init__(self, entry: NewEntry, call: "PendingAppend", position: int) -> None:
        self.entry = entry
        self.call = call
        self.position = position
        self.leaf = leaf_hash(entry.payload)
        self._key: bytes | None = None
        self.row_key = ""
        self.astray: str | None = None
        self.repeats: list[PendingEntry] = []

    def set_row_key(self, key: HmacKey, partition: str) -> None:
        """Compute the RowKey under the log's HMAC key."""
        if self._key != key.id:
            event = EventKey.of(key.value, partition, self.entry.source, self.entry.id)
            self._key, self.row_key, self.astray = key.id, event.row, None

    @property
    def is_resolved(self) -> bool:
        """Tell whether the entry has an index, or was refused."""
        return self.call.is_resolved(self.position)

    def resolve(self, index: int, logged: bytes | None) -> None:
        """Note that the log has the event at `index`, with the payload `logged`.

        None stands for the payload of a redacted entry. Refuses the entry, and each repeat, if the
        content differs from `logged`.
        """
        for item in (self, *self.repeats):
            is_same = logged is None or same_content(logged, item.entry.payload)
            item.call.resolve(item.position, index if is_same else None)


class PendingAppend:
    """The entries of one call to append, and the answer to the caller.

    Computes every leaf hash at once, in parallel with the commit under way. Raises TooLargeError
    for an entry above 65,535 bytes.
    """

    def __init__(self, entries: Iterable[NewEntry]) -> None:
        self.items = [PendingEntry(entry, self, at) for at, entry in enumerate(entries)]
        if any(len(item.entry.payload) > MAX_ENTRY for item in self.items):
            raise TooLargeError(
                "log-entry-too-large",
                f"An entry of the log is at most {MAX_ENTRY:,} bytes.",
                "Shorten the fields of the entry.",
            )
        self.taken = 0
        self.answer: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        self._indices: dict[int, int | None] = {}

    def is_resolved(self, position: int) -> bool:
        """Tell whether the entry at `position` has an index, or was refused."""
        return position in self._indices

    def resolve(self, position: int, index: int | None) -> None:
        """Note the index of an entry, None for a refused entry; answer after the last entry."""
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
        """Answer with `error`, unless the caller has an answer or was cancelled."""
        if self.answer.done():
            return
        match error:
            # Each caller adds a traceback to the exception, and therefore gets a new exception.
            case EventSecretError(reason=reason):
                self.answer.set_exception(EventSecretError(reason))
            case UnavailableError(service=service):
                self.answer.set_exception(UnavailableError(service))
            case asyncio.CancelledError():
                self.answer.cancel()
            case _:
                self.answer.set_exception(error)


def distinct(items: Iterable[PendingEntry]) -> list[PendingEntry]:
    """Return the first unresolved entry of each event; attach the repeats to the first."""
    firsts: dict[tuple[str, str], PendingEntry] = {}
    for item in items:
        if item.is_resolved:
            continue
        item.repeats = []
        first = firsts.setdefault((item.entry.source, item.entry.id), item)
        if first is not item:
            first.repeats.append(item)
    return list(firsts.values())
