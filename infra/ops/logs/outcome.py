"""The outcome of a verification, in one sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.merkle import Checkpoint

type FaultKind = Literal[
    "changed",
    "missing",
    "inserted",
    "reordered",
    "truncated",
    "forked",
    "unsigned",
    "tile",
    "signature",
]

type Progress = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Intact:
    """A log that equals its checkpoint; `redacted` counts the signed redactions.

    `revoked` is true when every known key that signed the checkpoint is revoked.
    """

    origin: str
    size: int
    redacted: int = 0
    continues: int | None = None
    revoked: bool = False

    @property
    def sentence(self) -> str:
        """The sentence for the user."""
        said = f"The log {self.origin} is intact: {_entries(self.size)}"
        said += " lead to the signed root" if self.size != 1 else " leads to the signed root"
        if self.redacted:
            said += f", {self.redacted:,} of them redacted with a signed note"
        if self.continues is not None:
            said += f", and continue the older log of {_entries(self.continues)}"
        if self.revoked:
            said += ", but only a revoked key has signed that root"
        return said + "."


@dataclass(frozen=True, slots=True)
class Fault:
    """A log that contradicts its checkpoint.

    The first fault is at `entry`, or, where the exact place is unknown, from `entry` to `last`.
    """

    origin: str
    kind: FaultKind
    what: str
    entry: int | None = None
    last: int | None = field(default=None)

    @property
    def sentence(self) -> str:
        """The sentence for the user."""
        return f"The log {self.origin} is not intact: {self.what}."


type LogOutcome = Intact | Fault


def at(origin: str, kind: FaultKind, first: int, last: int | None = None, why: str = "") -> Fault:
    """Return a fault at entry `first`, or at an entry from `first` to `last`."""
    if last is None or last <= first:
        what = {
            "changed": f"entry {first} has been changed",
            "missing": f"entry {first} is missing",
            "inserted": f"an entry has been inserted at place {first}",
            "reordered": f"entry {first} is not in its place",
        }[kind]
        last = first
    else:
        what = {
            "changed": f"an entry from {first} to {last} has been changed",
            "missing": f"an entry from {first} to {last} is missing",
            "inserted": f"an entry has been inserted at a place from {first} to {last}",
            "reordered": f"an entry from {first} to {last} is not in its place",
        }[kind]
    return Fault(origin, kind, f"{what} ({why})" if why else what, first, last)


def lost(origin: str, first: int, last: int) -> Fault:
    """Return a fault for the entries `first` to `last`, which the export declares missing."""
    what = (
        f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
    )
    return Fault(origin, "missing", f"{what} (the export says so itself)", first, last)


def unsigned(origin: str, size: int) -> Fault:
    """Return a fault for a log in which only the first `size` entries are signed."""
    what = (
        f"its first {size:,} entries lead to the signed root, but no checkpoint is signed from"
        f" entry {size} on, as the log could not be shown to continue that one"
    )
    return Fault(origin, "unsigned", what, size)


def truncated(origin: str, found: int, stated: int) -> Fault:
    """Return a fault for a log with only the first `found` entries of `stated`."""
    what = f"it has been truncated, entry {found} is missing and with it all up to {stated - 1}"
    return Fault(origin, "truncated", what, found, stated - 1)


def truncated_since(checkpoint: Checkpoint, older_size: int) -> Fault:
    """Return a fault for a log shorter than an older signed checkpoint."""
    what = (
        f"it has been truncated, entry {checkpoint.size} is missing and with it all up to"
        f" {older_size - 1}, which the older checkpoint has signed for"
    )
    return Fault(checkpoint.origin, "truncated", what, checkpoint.size, older_size - 1)


def forked(origin: str, older_size: int) -> Fault:
    """Return a fault for a log that does not continue an older signed log."""
    what = (
        f"it has been forked, its first {older_size:,} entries are others than those of the older"
        " checkpoint"
    )
    return Fault(origin, "forked", what, 0, older_size - 1)


def forked_at(origin: str, entry: int) -> Fault:
    """Return a fault for a log that departs from an older signed log at `entry`."""
    what = f"it has been forked, entry {entry} is another than in the older export"
    return Fault(origin, "forked", what, entry, entry)


def moved(*, up: bool, down: bool) -> FaultKind:
    """Return the kind of change that put different content at a place.

    `up`: the content found is expected further on. `down`: the content expected stands further on.
    """
    if up and down:
        return "reordered"
    if up:
        return "missing"
    return "inserted" if down else "changed"


def kind_of(expected: Sequence[bytes], actual: Sequence[bytes]) -> FaultKind:
    """Return the kind of change from `expected` to `actual`. Either sequence may be shorter."""
    if not actual or not expected:
        return "inserted" if actual else "missing"
    return moved(up=actual[0] in expected, down=expected[0] in actual)


def by_count(count: int, expected: int) -> FaultKind:
    """Return the likely kind of fault, judged by the number of entries alone."""
    if count == expected:
        return "changed"
    return "inserted" if count > expected else "missing"


def somewhere(checkpoint: Checkpoint, older: Checkpoint | None, *, bears_out: bool) -> Fault:
    """Return a fault for a log with a wrong root and no evidence of the place.

    `bears_out`: the first entries lead to the root of the `older` checkpoint.
    """
    origin, size = checkpoint.origin, checkpoint.size
    if bears_out and older and older.size == size:
        return forked(origin, size)
    if bears_out and older and older.size:
        why = "the older checkpoint bears out those before"
        return at(origin, "changed", older.size, size - 1, why)
    if older and 0 < older.size < size:
        why = "the first do not lead to the root of the older checkpoint either"
        return at(origin, "changed", 0, older.size - 1, why)
    return at(
        origin, "changed", 0, size - 1, "they lead to another root, nothing shows which it is"
    )


def _entries(count: int) -> str:
    return "its only entry" if count == 1 else f"its {count:,} entries"
