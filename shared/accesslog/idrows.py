"""Whether the rows of the events lead to their entries, and no others are there."""

from array import array
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Final

from shared.accesslog import layout
from shared.accesslog.content import Identify
from shared.accesslog.events import get_all
from shared.accesslog.findings import Audit
from shared.ports import Row, Tables

_AT_ONCE: Final = 256
# Instead of a digest: of a redacted entry, which can be that of any event; of what is not there.
_ANY: Final = (1 << 64) - 1
_NONE: Final = _ANY - 1


class IdRows:
    """Takes the entries of a log in order; `finish` then holds the rows of the events to them.

    Reads all of them when the entries begin at 0, otherwise those of the entries that it took.
    Keeps 10 bytes an entry.
    """

    def __init__(
        self, tables: Tables, partition: str, identify: Identify, digest_bits: int, start: int
    ) -> None:
        self._tables = tables
        self._partition = partition
        self._identify = identify
        self._digest_bits = digest_bits
        self._start = start
        self._digests = array("Q")
        self._offsets = bytearray()
        self._seen = bytearray()

    def take(self, offset: int, entry: bytes | None) -> None:
        """The next entry, number `offset` of its segment; None for one that is not there."""
        self._digests.append(_NONE if entry is None else self._digest(entry))
        self._offsets.append(offset)
        self._seen.append(entry is None)

    async def finish(self, audit: Audit) -> None:
        """Look at the rows."""
        await (self._ask() if self._start else self._read(audit))
        at = self._seen.find(0)
        while at >= 0:
            index = self._start + at
            audit.add("event-missing", index, index + 1, "")
            at = self._seen.find(0, at + 1)

    def _digest(self, entry: bytes) -> int:
        identity = self._identify(entry)
        return _number(layout.digest(*identity, self._digest_bits)) if identity else _ANY

    async def _read(self, audit: Audit) -> None:
        later: list[tuple[int, str]] = []
        async for row in self._tables.scan(layout.TABLE, self._partition, prefix="i|"):
            digest, (index, first) = self._digest_of(row), layout.place_of(row)
            if not 0 <= index < len(self._digests):
                # Appended since, or leads nowhere.
                later.append((index, row.row))
            elif self._digests[index] == _NONE:
                continue
            elif (
                self._seen[index]
                or self._digests[index] not in {digest, _ANY}
                or self._offsets[index] != index - first
            ):
                audit.add("event-astray", index, index + 1, row.row)
            else:
                self._seen[index] = True
        if later:
            head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
            size = layout.size_of(head)
            for index, name in later:
                if not 0 <= index < size:
                    audit.add("event-astray", index, index + 1, name)

    async def _ask(self) -> None:
        """Ask for the row of each entry, behind those of other events with the same digest."""
        left = []
        for at, digest in enumerate(self._digests):
            if digest == _ANY:
                self._seen[at] = True
            elif not self._seen[at]:
                left.append(at)
        others = 0
        while left:
            still: list[int] = []
            for start in range(0, len(left), _AT_ONCE):
                part = left[start : start + _AT_ONCE]
                still += await self._not_last(part, others)
            left, others = still, others + 1

    async def _not_last(self, part: Sequence[int], others: int) -> Sequence[int]:
        """Those for which there is a row, and it is another's."""
        keys = [layout.id_key(self._text(self._digests[at]), others) for at in part]
        rows = await get_all(self._tables, self._partition, keys)
        not_last = []
        for at, row in zip(part, rows, strict=True):
            index = self._start + at
            if row and layout.place_of(row) == (index, index - self._offsets[at]):
                self._seen[at] = True
            elif row:
                not_last.append(at)
        return not_last

    def _digest_of(self, row: Row) -> int:
        text = row.row.split("|")[1]
        try:
            digest = _number(text)
            return digest if self._text(digest) == text else _NONE
        except (ValueError, OverflowError):
            return _NONE

    def _text(self, digest: int) -> str:
        return layout.digest_text(digest, self._digest_bits)


def _number(digest: str) -> int:
    return int.from_bytes(urlsafe_b64decode(digest + "=" * (-len(digest) % 4)), "big")
