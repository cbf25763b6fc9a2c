"""The findings of an audit of a log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.merkle import Edge

# More findings than the limit say nothing more about the cause.
MAX_FINDINGS: Final = 1000

type FindingKind = Literal[
    # The head cannot be read, or does not fit the entries below the head.
    "head-changed",
    # No row has the entries, or the row of the entries cannot be read.
    "entries-missing",
    # A row repeats entries of further rows, or has entries beyond the end of the log.
    "entries-inserted",
    # The entry differs from the appended entry.
    "entry-changed",
    # The entry is unchanged; the segment's part of the leaf hash differs.
    "check-changed",
    # A tile is absent, or does not fit the entries below the tile.
    "tile-changed",
    # An unredacted entry has no row of the entry's event that leads to the entry.
    "event-missing",
    # The row of an event leads to no entry, to a redacted entry, or to another event's entry.
    "event-astray",
    # The vault lacks the HMAC key that the head names, so no row of an event was compared.
    "event-key-missing",
    # A row outside the log's layout, under any name.
    "row-astray",
    # The entries do not lead to a published root.
    "root-differs",
    # A row of a published checkpoint differs from the statement that the log's keys have signed.
    "checkpoint-changed",
    # The row of a cosignature, or of a witness, differs from the app's row.
    "cosignature-changed",
    "witness-changed",
    # The row with the size of the last intact log cannot be read.
    "watch-changed",
    # The log could not be verified, or no checkpoint could be signed, without any further finding.
    "watch-failed",
    "publishing-refused",
]

_OF_ENTRIES: Final = frozenset({"entries-missing", "entries-inserted", "entry-changed"})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A defect of the entries from `first` up to but without `end`, seen in `row`."""

    first: int
    end: int
    kind: FindingKind
    row: str


@dataclass(slots=True)
class Audit:
    """The findings, at most 1,000. `edge` is over the stored entries."""

    edge: Edge
    found: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> Sequence[Finding]:
        """The findings, by the index of the entries."""
        return sorted(self.found)

    @property
    def is_full(self) -> bool:
        """Tell whether the audit has reached the limit of findings."""
        return len(self.found) >= MAX_FINDINGS

    def explains(self, first: int, end: int) -> bool:
        """Tell whether a finding covers an entry between `first` and `end`."""
        return any(
            one.kind in _OF_ENTRIES and one.first < end and first < one.end for one in self.found
        )

    def add(self, kind: FindingKind, first: int, end: int, row: str) -> None:
        """Add a finding, up to the limit."""
        if not self.is_full:
            self.found.append(Finding(first, end, kind, row))
