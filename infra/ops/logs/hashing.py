"""Hashing a whole export on every processor: the quick proof that the export is intact.

Each worker takes a range of the file. The worker returns the roots over the range's full tiles of
256 leaves, and the leaves left over at both ends. Any irregularity ends the hashing: `locate` then
examines one entry after the next.
"""

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

from infra.ops.errors import CommandError
from infra.ops.logs.export_file import LONGEST_LINE, ExportFile
from infra.ops.logs.growth import Growth
from infra.ops.logs.outcome import Progress
from shared.merkle import WIDTH, Checkpoint, MerkleError, VerifierKey, is_redaction, leaf_of
from shared.merkle.export import End, ExportedEntry, ExportLine, Hashes, parse_line
from shared.merkle.export_hashing import leaves_of
from shared.merkle.tiles import fold

RANGE: Final = 8 << 20
# Small enough to stay in a processor's own cache from reading to hashing.
_PIECE: Final = 128 << 10
# Read along with the range, for the range's last line: most entries are much shorter.
_MORE: Final = 4 << 10
# Hashing a smaller file takes less time than starting the workers.
_WORTHWHILE: Final = 16 << 20


@dataclass(slots=True)
class _HashedRange:
    """The entries of one range. `rows` are levels with the hashes to append there, in order."""

    first: int | None = None
    rows: list[tuple[int, list[bytes]]] = field(default_factory=list)
    redacted: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class _RangeJob:
    path: Path
    start: int
    end: int
    data_start: int
    origin: str
    keys: tuple[VerifierKey, ...]
    older_size: int


def hash_export(
    export: ExportFile,
    older: Checkpoint | None,
    progress: Progress,
    workers: int | None = None,
) -> Growth | None:
    """Hash every entry; return None after an irregularity.

    Memory stays flat at any size. Raises OSError when the file cannot be read, and CommandError
    when a worker is killed.
    """
    workers = workers or os.process_cpu_count() or 1
    if export.length < _WORTHWHILE:
        workers = 1
    growth, ended = Growth(export.checkpoint, older), False
    for done, part in _parts(export, older.size if older else 0, workers):
        if part is None or ended or part.first not in {None, growth.size}:
            return None
        for level, hashes in part.rows:
            growth.add(hashes, level)
        growth.redacted += part.redacted
        ended = part.end is not None
        progress("hashing", done, export.length)
    return growth if ended else None


def _parts(
    export: ExportFile, older_size: int, workers: int
) -> Iterator[tuple[int, _HashedRange | None]]:
    """Yield the ranges in order, each with the byte of the file where the range ends."""
    jobs = (
        _RangeJob(
            export.path,
            start,
            min(start + RANGE, export.length),
            export.start,
            export.checkpoint.origin,
            export.keys,
            older_size,
        )
        for start in range(export.start, export.length, RANGE)
    )
    if workers == 1:
        for job in jobs:
            yield job.end, _hash_range(job)
        return
    # Forked workers need no new imports, but a process with threads must not fork.
    forks = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if forks else "spawn")
    with ExitStack() as stack:
        pool: Executor = stack.enter_context(ProcessPoolExecutor(workers, context))
        waiting: deque[tuple[_RangeJob, Future[_HashedRange | None]]] = deque()
        stack.callback(lambda: [future.cancel() for _, future in waiting])
        try:
            for job in jobs:
                waiting.append((job, pool.submit(_hash_range, job)))
                if len(waiting) >= 2 * workers:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        except BrokenProcessPool:
            raise CommandError("A process that hashes was ended from outside.") from None


def _next(
    waiting: deque[tuple[_RangeJob, Future[_HashedRange | None]]],
) -> tuple[int, _HashedRange | None]:
    job, future = waiting.popleft()
    return job.end, future.result()


def _hash_range(job: _RangeJob) -> _HashedRange | None:
    """Hash the lines that begin in the range; return None for a foreign line or a wrong order."""
    hasher = _Hasher(job)
    try:
        with job.path.open("rb", buffering=0) as file:
            for start in range(job.start, job.end, _PIECE):
                _hash_piece(hasher, *_read(file, start, min(start + _PIECE, job.end), job))
    except (MerkleError, ValueError):
        return None
    if hasher.block:
        hasher.part.rows.append((0, hasher.block))
    return hasher.part


def _hash_piece(hasher: "_Hasher", data: bytes, at: int, until: int) -> None:
    while at < until:
        if hasher.expected is not None:
            first = hasher.expected
            leaves, at = leaves_of(data, at, until, first, WIDTH - first % WIDTH)
            hasher.add(leaves)
            if leaves:
                continue
        end = data.index(b"\n", at)
        hasher.take(parse_line(data[at:end]))
        at = end + 1


class _Hasher:
    """Put the entries of a range together. Raise ValueError for an irregularity."""

    def __init__(self, job: _RangeJob) -> None:
        self.job, self.part = job, _HashedRange()
        self.block: list[bytes] = []
        self.expected: int | None = None

    def take(self, line: ExportLine) -> None:
        if self.part.end is not None:
            raise ValueError("after the end")
        match line:
            case End():
                self.part.end = line.size
            case ExportedEntry():
                if self.expected is None:
                    self.part.first = self.expected = line.index
                if line.index != self.expected:
                    raise ValueError("out of order")
                self.part.redacted += is_redaction(line.entry)
                self.add([leaf_of(line.entry, line.index, self.job.origin, self.job.keys)])
            case Hashes():
                # Hashes in an export prove nothing.
                pass
            case _:
                raise ValueError("a second beginning, or what says that it is not intact")

    def add(self, leaves: list[bytes]) -> None:
        """Add leaves up to the end of a tile at most; replace a full tile by its root."""
        if self.expected is None or not leaves:
            return
        self.block += leaves
        self.expected += len(leaves)
        if self.expected % WIDTH:
            return
        # The tile in which the older tree ends is returned whole, to be cut at the older size.
        in_older = self.expected - WIDTH < self.job.older_size < self.expected
        if len(self.block) < WIDTH or in_older:
            self.part.rows.append((0, self.block))
        else:
            root, rows = fold(self.block), self.part.rows
            if not rows or rows[-1][0] != 1:
                rows.append((1, []))
            rows[-1][1].append(root)
        self.block = []


def _read(file: FileIO, first: int, end: int, job: _RangeJob) -> tuple[bytes, int, int]:
    """Return data with the lines that begin from byte `first` to `end`, and the lines' bounds.

    Raises ValueError for a line that is too long.
    """
    # From the byte before, the possible end of a line, to the end of the last line.
    start = max(first - 1, job.data_start)
    file.seek(start)
    data = _exactly(file, end - start + _MORE)
    if data.find(b"\n", end - start - 1) < 0:
        data += _exactly(file, LONGEST_LINE)
    at = data.index(b"\n") + 1 if first > job.data_start else 0
    return data, at, data.index(b"\n", end - start - 1) + 1


def _exactly(file: FileIO, count: int) -> bytes:
    """Read `count` bytes, or up to the end of the file: one call may read less."""
    data = file.read(count)
    while len(data) < count and (more := file.read(count - len(data))):
        data += more
    return data
