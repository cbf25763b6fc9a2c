"""A log's tree that grows during reading, and the outcome at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.ops.logs.outcome import Intact, LogOutcome, at, forked, somewhere, truncated
from shared.merkle import EMPTY_ROOT, Checkpoint, Edge, Tile


@dataclass(slots=True)
class Growth:
    """The tree up to the last entry read.

    The whole tree must have the root of `checkpoint`. The tree of `older`'s size must have the root
    of `older`, if given.
    """

    checkpoint: Checkpoint
    older: Checkpoint | None
    tree: Edge = field(default_factory=Edge.empty)
    redacted: int = 0
    older_root: bytes = EMPTY_ROOT

    @property
    def size(self) -> int:
        """The number of entries added."""
        return self.tree.size

    def add(self, hashes: Sequence[bytes], level: int = 0) -> list[tuple[Tile, bytes]]:
        """Add leaves, or roots over full tiles at a higher `level`; return the completed tiles.

        The older size must not fall between two roots.
        """
        if self.older:
            until = self.older.size - self.size >> 8 * level
            if 0 < until <= len(hashes):
                self.older_root = self.tree.append(hashes[:until], level)[0].root()
        self.tree, full = self.tree.append(hashes, level)
        return full

    def outcome(self) -> LogOutcome:
        """Return the outcome for the log, after the last entry was added."""
        origin, stated = self.checkpoint.origin, self.checkpoint.size
        if self.size < stated:
            return truncated(origin, self.size, stated)
        if self.size > stated:
            return at(origin, "inserted", stated, why="after the last one")
        bears_out = self.older is not None and self.older_root == self.older.root
        if self.tree.root() != self.checkpoint.root:
            return somewhere(self.checkpoint, self.older, bears_out=bears_out)
        if self.older and not bears_out:
            return forked(origin, self.older.size)
        return Intact(origin, stated, self.redacted, self.older.size if self.older else None)
