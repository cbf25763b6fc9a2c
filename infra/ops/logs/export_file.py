"""An export as a file, read line by line at any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from infra.ops.errors import CommandError
from infra.ops.logs.outcome import Fault
from infra.ops.logs.trust import Trust
from shared.merkle import Checkpoint, MerkleError, VerifierKey
from shared.merkle.export import End, ExportLine, Header, parse_line

# An entry of 65,535 bytes with every byte escaped, and the JSON around the entry.
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ExportFile:
    """An export with a checkpoint that verifies; `signed` is the checkpoint's note.

    The lines begin at byte `start` of `length`.
    """

    path: Path
    checkpoint: Checkpoint
    signed: str
    keys: tuple[VerifierKey, ...]
    start: int
    length: int


def open_export(path: Path, trust: Trust) -> ExportFile | Fault:
    """Open the export in `path`. Return a Fault for a trusted key's false signature.

    Raises CommandError for a file that is no export, and for a log or key not given.
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


def lines_of(export: ExportFile) -> Iterator[tuple[int, ExportLine | None]]:
    """Yield each line after the first and the line's end in bytes; None for a foreign line.

    Empty lines behind the last line, and the last newline, do not count: editors change both.
    """
    with export.path.open("rb") as file:
        file.seek(export.start)
        parsed: ExportLine | None = None
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
    """Return the next line with its newline, b"" at the end, question marks for too long a line."""
    line = file.readline(LONGEST_LINE)
    while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        # A longer line is no line of an export: only the line's end matters.
        rest = file.readline(LONGEST_LINE)
        line = b"?" * (LONGEST_LINE - 1) + b"\n" if rest.endswith(b"\n") or not rest else line
    return line
