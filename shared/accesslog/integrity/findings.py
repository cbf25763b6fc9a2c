"""What an audit of a log finds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.merkle import Edge

# More than this tell nothing more of what happened.
MOST_FINDINGS: Final = 1000

type FindingKind = Literal[
    # The head cannot be read, or does not fit the entries that it is over.
    "head-changed",
    # No row has these entries, or it cannot be read.
    "entries-missing",
    # A row with entries that others have, or that are behind the end of the log.
    "entries-inserted",
    # The entry is not the one that was appended.
    "entry-changed",
    # The entry is; what its segment keeps of its leaf hash is not.
    "check-changed",
    # A tile is not there, or does not fit the entries below it.
    "tile-changed",
    # An entry that is not redacted has no row of its event that leads to the entry.
    "event-missing",
    # The row of an event leads to no entry, to a redacted entry, or to another event's entry.
    "event-astray",
    # A row that is none of the log's, however it is named.
    "row-astray",
    # The entries do not lead to a root that was published.
    "root-differs",
    # A row of a published checkpoint does not say what the log's keys have signed.
    "checkpoint-changed",
    # The row of a cosignature, or of a witness, is not what the app wrote there.
    "cosignature-changed",
    "witness-changed",
    # The row that says up to where the log was found intact cannot be read.
    "watch-changed",
    # The log could not be verified, or no checkpoint of it be signed, for no other reason found.
    "watch-failed",
    "publishing-refused",
]

_OF_ENTRIES: Final = frozenset({"entries-missing", "entries-inserted", "entry-changed"})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something wrong with the entries from `first` up to but without `end`, seen in `row`."""

    first: int
    end: int
    kind: FindingKind
    row: str


@dataclass(slots=True)
class Audit:
    """What was found, at most 1,000 of it. `edge` is over the entries as they are kept now."""

    edge: Edge
    found: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found, by the index of the entries."""
        return sorted(self.found)

    @property
    def is_full(self) -> bool:
        """Tell whether no more findings are added."""
        return len(self.found) >= MOST_FINDINGS

    def explains(self, first: int, end: int) -> bool:
        """Whether an entry between `first` and `end` is known to be wrong."""
        return any(
            one.kind in _OF_ENTRIES and one.first < end and first < one.end for one in self.found
        )

    def add(self, kind: FindingKind, first: int, end: int, row: str) -> None:
        """Note something, unless there is too much of it."""
        if not self.is_full:
            self.found.append(Finding(first, end, kind, row))
