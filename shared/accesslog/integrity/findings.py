"""The findings of an audit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.merkle import Edge

# More findings add nothing to the picture.
MOST_FINDINGS: Final = 1000

type FindingKind = Literal[
    # The head cannot be read, or does not match the entries.
    "head-changed",
    # No row has the entries, or the row cannot be read.
    "entries-missing",
    # A row repeats entries of another row, or has entries beyond the end of the log.
    "entries-inserted",
    # The entry differs from the entry that was appended.
    "entry-changed",
    # The entry is as appended; the first bytes of its leaf hash in the segment are not.
    "check-changed",
    # A tile is missing, or does not match the entries below.
    "tile-changed",
    # An entry that is not redacted has no row of its event that leads to the entry.
    "event-missing",
    # The row of an event leads to no entry, to a redacted entry, or to another event's entry.
    "event-astray",
    # A foreign row with the prefix of a segment.
    "row-astray",
    # The entries do not lead to a published root.
    "root-differs",
    # The row of a published checkpoint differs from the note that the log's keys have signed.
    "checkpoint-changed",
    # The row of a cosignature, or of a witness, differs from the row that the app wrote.
    "cosignature-changed",
    "witness-changed",
    # The row with the size up to which the log was found intact cannot be read.
    "watch-changed",
    # The log could not be verified; or no checkpoint could be signed, without another finding.
    "watch-failed",
    "publishing-refused",
]

_OF_ENTRIES: Final = frozenset({"entries-missing", "entries-inserted", "entry-changed"})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Damage of the entries from `first` below `end`, found in the row `row`."""

    first: int
    end: int
    kind: FindingKind
    row: str


@dataclass(slots=True)
class Audit:
    """The findings of an audit, at most 1,000. `edge` is the right edge of the present entries."""

    edge: Edge
    found: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> Sequence[Finding]:
        """The findings in the order of the entries."""
        return sorted(self.found)

    @property
    def is_full(self) -> bool:
        """Tell whether no more findings are added."""
        return len(self.found) >= MOST_FINDINGS

    def explains(self, first: int, end: int) -> bool:
        """Tell whether a finding about an entry between `first` and `end` exists."""
        return any(
            one.kind in _OF_ENTRIES and one.first < end and first < one.end for one in self.found
        )

    def add(self, kind: FindingKind, first: int, end: int, row: str) -> None:
        """Add a finding, up to 1,000."""
        if not self.is_full:
            self.found.append(Finding(first, end, kind, row))
