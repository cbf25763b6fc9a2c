"""Scanning an upload for malware as it streams by, with YARA rules and in flat memory."""

import hashlib
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

import yara_x

from shared.intake.archive import (
    HEAD_SIZE,
    Limits,
    contents,
    is_archive,
    refuse_unsupported,
)
from shared.intake.refused import RefusedArchiveError
from shared.intake.scanner import Engine, Findings

_SIGNATURES: Final = Path(__file__).parent / "signatures"


class Signatures:
    """The compiled signatures. Build one a process; any number of threads may use it at once."""

    def __init__(self, signatures: Path = _SIGNATURES, limits: Limits | None = None) -> None:
        """Compile the `*.yar` files in `signatures`.

        Raises yara_x.CompileError for a rule that does not compile, and ValueError for one without
        its reach or its date (see the README beside them).
        """
        sources = [path.read_bytes() for path in sorted(signatures.glob("*.yar"))]
        compiler = yara_x.Compiler(error_on_slow_pattern=True, includes_enabled=False)
        for source in sources:
            compiler.add_source(source.decode())
        self._rules = compiler.build()
        self._overlap = max(_reach(rule) for rule in self._rules) - 1
        self._limits = limits or Limits()
        self.engine = Engine(
            name="yara-x",
            version=version("yara-x"),
            # The beginning of the SHA-256 of all signatures.
            signatures=hashlib.sha256(b"\0".join(sources)).hexdigest()[:16],
            signatures_made_at=max(_made_at(rule) for rule in self._rules),
        )
        """The engine, and the version and date of these signatures."""

    def begin(self) -> "YaraScan":
        """Begin the scan of one upload."""
        return YaraScan(self, self._rules, self._overlap, self._limits)


class YaraScan:
    """The scan of one upload: see `scanner.Scan`.

    Holds the chunk at hand and the few kilobytes of the one before that a match may reach back.
    """

    def __init__(
        self, signatures: Signatures, rules: yara_x.Rules, overlap: int, limits: Limits
    ) -> None:
        self.engine = signatures.engine
        self._rules = rules
        self._overlap = overlap
        self._limits = limits
        self._tail = b""
        self._head = b""
        self._matches: set[str] = set()

    def feed(self, chunk: bytes) -> None:
        """Scan the next bytes; chunks may be of any size."""
        self._head += chunk[: HEAD_SIZE - len(self._head)]
        self._window(chunk)

    def finish(self, file: IO[bytes] | None) -> Findings:
        """Say what was found in the bytes fed, and look into them if they are an archive.

        Without its `file` an archive (`archive.is_archive`) is refused as "archive-too-large".
        """
        refusal = None
        try:
            # What is infected already needs no second look.
            if not self._matches:
                self._look_into(file)
        except RefusedArchiveError as error:
            refusal = error.reason
        matches = tuple(sorted(self._matches))
        return Findings(matches, None if matches else refusal)

    def close(self) -> None:
        """Nothing is held that must be given back."""

    def _look_into(self, file: IO[bytes] | None) -> None:
        if file is None:
            refuse_unsupported(self._head)
            if is_archive(self._head):
                raise RefusedArchiveError("archive-too-large")
            return
        self._tail = b""
        for piece in contents(file, self._limits):
            if piece:
                self._window(piece)
            elif self._matches:
                return
            else:
                self._tail = b""

    def _window(self, chunk: bytes) -> None:
        window = self._tail + chunk
        self._matches.update(rule.identifier for rule in self._rules.scan(window).matching_rules)
        self._tail = window[-self._overlap :]


def _reach(rule: yara_x.Rule) -> int:
    """The greatest length of a match of `rule`, in bytes, as its author states it."""
    reach = dict(rule.metadata).get("reach")
    if not isinstance(reach, int) or reach < 2:
        raise ValueError(f"the rule {rule.identifier} must state its reach in bytes")
    return reach


def _made_at(rule: yara_x.Rule) -> datetime:
    """When `rule` was written or last changed, as its author states it."""
    written = dict(rule.metadata).get("date")
    try:
        return datetime.combine(date.fromisoformat(str(written)), time(), UTC)
    except ValueError as error:
        raise ValueError(f"the rule {rule.identifier} must state its date, YYYY-MM-DD") from error
