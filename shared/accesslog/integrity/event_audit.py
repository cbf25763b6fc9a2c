"""The audit of the events' rows: a row for each entry that is not redacted, and no other rows."""

from typing import Final

from shared.accesslog.integrity.findings import Audit
from shared.accesslog.payloads import event_of
from shared.accesslog.storage import layout
from shared.accesslog.storage.events import get_all
from shared.merkle import ProofError
from shared.ports import Tables

_ROWS_AT_ONCE: Final = 256
# The states of an entry. A redacted entry has no row; of an absent entry the event is unknown.
_WITHOUT_ROW, _WITH_ROW, _REDACTED, _ABSENT = range(4)


class EventAudit:
    """Takes the entries of a log in order; `finish` compares the rows of the events with them.

    Reads the rows of all events when the entries begin at 0, and otherwise the rows of the given
    entries. `secret` is the HMAC key of the rows; without a key, no row is compared. Keeps 14 bytes
    an entry.
    """

    def __init__(self, tables: Tables, partition: str, secret: bytes | None, start: int) -> None:
        self._tables = tables
        self._partition = partition
        self._secret = secret
        self._start = start
        self._digests = bytearray()
        self._offsets = bytearray()
        self._states = bytearray()

    def add(self, offset: int, payload: bytes | None) -> None:
        """Add the next entry, number `offset` of its segment; None for an absent entry."""
        if self._secret is None:
            return
        event = None if payload is None else event_of(payload)
        digest = bytes(layout.EVENT_BYTES)
        if event is not None:
            digest = layout.event_digest(self._secret, self._partition, *event)
        self._digests += digest
        self._offsets.append(offset)
        self._states.append(
            _ABSENT if payload is None else _REDACTED if event is None else _WITHOUT_ROW
        )

    async def finish(self, audit: Audit) -> None:
        """Read the rows, and add the findings to `audit`."""
        if self._secret is None:
            audit.add("event-key-missing", 0, 0, layout.HEAD)
            return
        await (self._read_own() if self._start else self._read_all(audit))
        at = self._states.find(_WITHOUT_ROW)
        while at >= 0 and not audit.is_full:
            index = self._start + at
            if not await self._was_redacted(at):
                audit.add("event-missing", index, index + 1, "")
            at = self._states.find(_WITHOUT_ROW, at + 1)

    async def _read_all(self, audit: Audit) -> None:
        beyond: list[tuple[int, str]] = []
        async for row in self._tables.scan(layout.TABLE, self._partition, prefix=layout.EVENTS):
            index, first = layout.place_of(row)
            if not 0 <= index < len(self._states):
                # The entry was appended after the audit began, or does not exist.
                beyond.append((index, row.row))
            elif self._states[index] == _ABSENT:
                continue
            elif (
                self._states[index] != _WITHOUT_ROW
                or row.row != self._row_key(index)
                or index - first != self._offsets[index]
            ):
                audit.add("event-astray", index, index + 1, row.row)
            else:
                self._states[index] = _WITH_ROW
        if beyond:
            head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
            size = layout.size_of(head)
            for index, name in beyond:
                if not 0 <= index < size:
                    audit.add("event-astray", size, size, name)

    async def _read_own(self) -> None:
        left = [at for at, state in enumerate(self._states) if state == _WITHOUT_ROW]
        for begin in range(0, len(left), _ROWS_AT_ONCE):
            part = left[begin : begin + _ROWS_AT_ONCE]
            keys = [self._row_key(at) for at in part]
            rows = await get_all(self._tables, self._partition, keys)
            for at, row in zip(part, rows, strict=True):
                index = self._start + at
                if row and layout.place_of(row) == (index, index - self._offsets[at]):
                    self._states[at] = _WITH_ROW

    async def _was_redacted(self, at: int) -> bool:
        """Tell whether an entry was redacted, with its row, after the audit read the entry."""
        index, offset = self._start + at, self._offsets[at]
        name = layout.segment_key(index - offset)
        row = await self._tables.get(layout.TABLE, self._partition, name)
        try:
            entries = layout.segment_of(row).entries if row else []
        except ProofError:
            return False
        return offset < len(entries) and event_of(entries[offset]) is None

    def _row_key(self, at: int) -> str:
        start = at * layout.EVENT_BYTES
        return layout.event_key(bytes(self._digests[start : start + layout.EVENT_BYTES]))
