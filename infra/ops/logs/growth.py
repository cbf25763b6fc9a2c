"""A log's tree as it grows while it is read, and what it comes to at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.ops.logs.outcome import Intact, Outcome, at, forked, somewhere, truncated
from shared.merkle import EMPTY_ROOT, Checkpoint, Edge, Tile


@dataclass(slots=True)
class Growth:
    """The tree so far. It must come to `checkpoint`, and have been at `older` if there is one."""

    checkpoint: Checkpoint
    older: Checkpoint | None
    tree: Edge = field(default_factory=Edge.empty)
    redacted: int = 0
    older_root: bytes = EMPTY_ROOT

    @property
    def size(self) -> int:
        """How many entries were added."""
        return self.tree.size

    def add(self, hashes: Sequence[bytes], level: int = 0) -> list[tuple[Tile, bytes]]:
        """Add leaves, or roots over full tiles at a higher `level`; returns the completed tiles.

        The older size must not fall between two roots.
        """
        if self.older:
            until = self.older.size - self.size >> 8 * level
            if 0 < until <= len(hashes):
                self.older_root = self.tree.append(hashes[:until], level)[0].root()
        self.tree, full = self.tree.append(hashes, level)
        return full

    def outcome(self) -> Outcome:
        """What the log comes to, now that all of it was added."""
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
