"""An export as a file: its lines, one at a time, however large it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from infra.ops.errors import CommandError
from infra.ops.logs.outcome import Fault
from infra.ops.logs.trust import Trust
from shared.merkle import Checkpoint, MerkleError, VerifierKey
from shared.merkle.export import End, Header, Line, parse_line

# An entry of 65,535 bytes, should each of them be escaped, and what stands around it.
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportFile:
    """An export with a checkpoint that verifies, which is `signed` in the note.

    Its lines begin at byte `start` of `length`.
    """

    path: Path
    checkpoint: Checkpoint
    signed: str
    keys: tuple[VerifierKey, ...]
    start: int
    length: int


def open_export(path: Path, trust: Trust) -> ExportFile | Fault:
    """The export in `path`; a Fault when a trusted key's signature on its checkpoint is false.

    Raises CommandError when it is no export, or of another log or key.
    """
    with path.open("rb") as file:
        first = file.readline(LONGEST_LINE)
        try:
            header = parse_line(first)
        except MerkleError:
            header = None
        if not isinstance(header, Header):
            raise CommandError(f"{path} is not the export of a log: its first line is no header.")
        checkpoint = trust.open(header.checkpoint, "the checkpoint of the export")
        if isinstance(checkpoint, Fault):
            return checkpoint
        if (header.origin, header.size) != (checkpoint.origin, checkpoint.size):
            raise CommandError(
                f"{path} contradicts itself: its first line states another log or size than the"
                " checkpoint in it."
            )
        keys = trust.keys(checkpoint.origin)
        signed, length = header.checkpoint, path.stat().st_size
        return ExportFile(path, checkpoint, signed, keys, file.tell(), length)


def lines_of(export: ExportFile) -> Iterator[tuple[int, Line | None]]:
    """Each line after the first with the byte where it ends; None for one that is no such line.

    Empty lines behind the last one, and its newline, come and go in editors, and do not count.
    """
    with export.path.open("rb") as file:
        file.seek(export.start)
        parsed: Line | None = None
        while line := read_line(file):
            if isinstance(parsed, End) and not line.strip():
                continue
            try:
                parsed = parse_line(line)
            except MerkleError:
                parsed = None
            is_whole = line.endswith(b"\n") or isinstance(parsed, End)
            yield file.tell(), parsed if is_whole else None


def read_line(file: BinaryIO) -> bytes:
    """The next line with its newline; b"" at the end. One that is too long is question marks."""
    line = file.readline(LONGEST_LINE)
    while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        # What is longer is no line of an export; only where it ends still matters.
        rest = file.readline(LONGEST_LINE)
        line = b"?" * (LONGEST_LINE - 1) + b"\n" if rest.endswith(b"\n") or not rest else line
    return line
