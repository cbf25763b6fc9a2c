"""A close look at an export that contradicts its checkpoint: the place and the kind of fault.

The signed root proves only that something is wrong. Four sources reveal the place, from the surest
to the weakest. First, the entries of an older export that is intact itself. Second, the tiles in
the export, if the tiles lead to the signed root. Third, the indices of the lines. Fourth, the check
of its entry in each line.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, takewhile, zip_longest
from typing import Final

from infra.ops.logs.export_file import ExportFile, lines_of, read_line
from infra.ops.logs.growth import Growth
from infra.ops.logs.outcome import (
    Fault,
    Intact,
    LogOutcome,
    Progress,
    at,
    by_count,
    forked_at,
    lost,
    moved,
    unsigned,
)
from shared.merkle import WIDTH, Checkpoint, Edge, MerkleError, ProofError, is_redaction, leaf_of
from shared.merkle.export import ExportedEntry, Hashes, Missing, Unsigned, parse_line
from shared.merkle.tiles import fold, split
from shared.merkle.tree import HASH_SIZE

# Stands for the leaf of an entry that is missing or unreadable. Any fixed hash could be a leaf that
# the log signed, and would then make the gap fit. No tree holds a hash drawn at run time.
_NOT_A_LEAF: Final = secrets.token_bytes(HASH_SIZE)


@dataclass(frozen=True, slots=True)
class _Line:
    """The line at one place. `leaf` is empty for a line with neither an entry nor a redaction."""

    index: int | None
    leaf: bytes
    check: bytes = b""
    redacted: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """The fault at a place: the line's index, or the line's hash, which should be `expected`."""

    place: int
    line: _Line
    expected: bytes = b""


@dataclass(slots=True)
class _ExportWalk:
    """Read an export once, up to the line that declares the rest unsigned.

    `roots` and `leaves` are the hashes in the tiles, if trusted.
    """

    export: ExportFile
    progress: Progress
    trusted: bool
    signed: bool = True
    roots: dict[int, bytes] = field(default_factory=dict)
    leaves: dict[int, bytes] = field(default_factory=dict)

    def lines(self) -> Iterator[_Line]:
        gone, size = 0, self.export.checkpoint.size
        for reached, line in lines_of(self.export):
            self.progress("looking closely", reached, self.export.length)
            if isinstance(line, ExportedEntry):
                yield self._entry(line)
            elif isinstance(line, Hashes):
                self._learn(line)
            elif isinstance(line, Unsigned):
                self.signed = False
                return
            elif isinstance(line, Missing) and (gone := gone + line.count) <= size:
                for index in range(line.first, line.last + 1):
                    yield _Line(index, b"", missing=True)
            elif isinstance(line, Missing | None):
                # Not a line of an export, or a line of more entries than the log has.
                yield _Line(None, b"")

    def _entry(self, line: ExportedEntry) -> _Line:
        try:
            leaf = leaf_of(line.entry, line.index, self.export.checkpoint.origin, self.export.keys)
        except MerkleError:
            leaf = b""
        return _Line(line.index, leaf, line.check, is_redaction(line.entry))

    def _learn(self, line: Hashes) -> None:
        if not self.trusted:
            return
        first = line.tile.index * WIDTH
        parts = {first + number: one for number, one in enumerate(split(line.hashes))}
        if line.tile.level == 0:
            self.leaves = parts
        elif line.tile.level == 1:
            self.roots = parts


def locate(
    export: ExportFile,
    older: Checkpoint | None,
    older_export: ExportFile | None,
    progress: Progress,
) -> LogOutcome:
    """Return the first entry at which the export contradicts its checkpoint, and the kind of fault.

    `older` is the checkpoint of `older_export`, if any. `older_export` is intact itself.
    """
    outcome = _hash_closely(export, older, progress)
    kept = leaves_of_export(older_export) if older_export else iter(())
    if isinstance(outcome, Intact) or outcome.kind in {"reordered", "unsigned"}:
        return outcome
    if outcome.kind == "forked":
        return _where_forked(export, kept, progress) or outcome
    walk = _ExportWalk(export, progress, _leads_to_root(export))
    lines, first = walk.lines(), 0
    while block := list(islice(lines, WIDTH)):
        before = list(islice(kept, WIDTH))
        if found := _suspicion(walk, first, block, before):
            after = found.place - first + 1
            behind = chain(block[after:], lines)
            if found.line.missing:
                more = sum(1 for _ in takewhile(lambda line: line.missing, behind))
                return lost(outcome.origin, found.place, found.place + more)
            return _judge(export, found, zip_longest(behind, chain(before[after:], kept)))
        if _is_disproved(walk, first, block):
            last = first + len(block) - 1
            count = last + 1 + sum(1 for _ in lines)
            return at(outcome.origin, by_count(count, export.checkpoint.size), first, last)
        first += len(block)
    return outcome


def _hash_closely(export: ExportFile, older: Checkpoint | None, progress: Progress) -> LogOutcome:
    """Return the outcome that follows from the export's root and the lines' indices alone.

    Lines are read as `parse_line` reads lines.
    """
    growth, astray = Growth(export.checkpoint, older), None
    walk = _ExportWalk(export, progress, trusted=False)
    lines = walk.lines()
    while block := list(islice(lines, WIDTH)):
        if astray is None:
            places = enumerate(block, growth.size)
            astray = next((place for place, line in places if line.index != place), None)
        growth.add([line.leaf or _NOT_A_LEAF for line in block])
        growth.redacted += sum(line.redacted for line in block)
    outcome = growth.outcome()
    if isinstance(outcome, Intact) and astray is not None:
        return at(outcome.origin, "reordered", astray, why="its line gives it another index")
    if isinstance(outcome, Intact) and not walk.signed:
        return unsigned(outcome.origin, outcome.size)
    return outcome


def _where_forked(export: ExportFile, kept: Iterator[bytes], progress: Progress) -> Fault | None:
    lines = _ExportWalk(export, progress, trusted=False).lines()
    for place, (line, leaf) in enumerate(zip(lines, kept, strict=False)):
        if line.leaf != leaf:
            return forked_at(export.checkpoint.origin, place)
    return None


def _suspicion(
    walk: _ExportWalk, first: int, block: list[_Line], before: list[bytes]
) -> _Suspicion | None:
    """Return the block's first wrong place that single places reveal.

    `before` are the leaf hashes at these places in an older export.
    """
    proven = _is_proven(walk, first, block)
    doubt = None
    for number, line in enumerate(block):
        place = first + number
        expected = before[number] if number < len(before) else walk.leaves.get(place)
        if expected is not None and line.leaf != expected:
            return doubt or _Suspicion(place, line, expected)
        if proven or expected is not None or doubt:
            continue
        if not line.leaf or line.index != place:
            doubt = _Suspicion(place, line)
        elif line.check and not line.leaf.startswith(line.check):
            doubt = _Suspicion(place, line, line.check)
    return doubt


def _is_proven(walk: _ExportWalk, first: int, block: list[_Line]) -> bool:
    """Tell whether a trusted tile states the block's root."""
    return len(block) == WIDTH and walk.roots.get(first // WIDTH) == _root(block)


def _is_disproved(walk: _ExportWalk, first: int, block: list[_Line]) -> bool:
    """Tell whether a trusted tile states a root that differs from the block's."""
    stated = walk.roots.get(first // WIDTH)
    return len(block) == WIDTH and stated is not None and stated != _root(block)


def _root(block: list[_Line]) -> bytes:
    leaves = [line.leaf for line in block]
    return b"" if b"" in leaves else fold(leaves)


def _judge(
    export: ExportFile, found: _Suspicion, rest: Iterator[tuple[_Line | None, bytes | None]]
) -> Fault:
    """Return the cause of the wrong place, judged by the lines behind."""
    origin, size, line = export.checkpoint.origin, export.checkpoint.size, found.line
    if found.expected and not line.leaf:
        return at(origin, "changed", found.place)
    if not line.leaf:
        why = "it cannot be read" if line.index is None else "its redaction is not validly signed"
        return at(origin, "changed", found.place, why=why)
    if found.expected:
        up = down = False
        for other, kept in rest:
            if other is not None:
                down = down or other.leaf.startswith(found.expected)
                up = up or (bool(other.check) and line.leaf.startswith(other.check))
            up = up or kept == line.leaf
        return at(origin, moved(up=up, down=down), found.place)
    index = line.index if line.index is not None else size
    if index < found.place or index >= size:
        return at(origin, "inserted", found.place)
    if any(other is not None and other.index == found.place for other, _ in rest):
        return at(origin, "reordered", found.place)
    return at(origin, "missing", found.place, index - 1)


def _leads_to_root(export: ExportFile) -> bool:
    """Tell whether the signed root is the root over the tiles in the export."""
    tree = Edge.empty()
    try:
        for tile in _tiles_of(export):
            level = min(tile.tile.level, 1)
            tree, _ = tree.append(split(tile.hashes), level)
    except ProofError:
        return False
    checkpoint = export.checkpoint
    return (tree.size, tree.root()) == (checkpoint.size, checkpoint.root)


def _tiles_of(export: ExportFile) -> Iterator[Hashes]:
    with export.path.open("rb") as file:
        file.seek(export.start)
        for line in iter(lambda: read_line(file), b""):
            # Most lines are entries, which need no parsing here.
            if line.startswith(b'{"tile"'):
                try:
                    parsed = parse_line(line)
                except MerkleError:
                    continue
                if isinstance(parsed, Hashes) and parsed.tile.level <= 1:
                    yield parsed


def leaves_of_export(export: ExportFile) -> Iterator[bytes]:
    """Yield the leaf hashes of an intact export."""
    origin = export.checkpoint.origin
    for _, line in lines_of(export):
        if isinstance(line, ExportedEntry):
            yield leaf_of(line.entry, line.index, origin, export.keys)
