"""Scanning an upload for malware as it streams by, with YARA rules and in flat memory."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

import yara_x

from shared.intake.archive import (
    HEAD_SIZE,
    Limits,
    RefusedArchiveError,
    contents,
    is_archive,
    refuse_unsupported,
)

_SIGNATURES: Final = Path(__file__).parent / "signatures"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan came to: clean when both are empty.

    `matches` are the names of the rules that matched, sorted. `refusal` says why the upload cannot
    be cleared although nothing matched: a reason of `archive.RefusedArchiveError`.
    """

    matches: tuple[str, ...] = ()
    refusal: str | None = None


class YaraScanner:
    """The compiled signatures. Build one a process; any number of threads may use it at once."""

    engine: Final = "yara-x"

    def __init__(self, signatures: Path = _SIGNATURES, limits: Limits | None = None) -> None:
        """Compile the `*.yar` files in `signatures`.

        Raises yara_x.CompileError for a rule that does not compile, and ValueError for one without
        its reach (see the README beside them).
        """
        sources = [path.read_bytes() for path in sorted(signatures.glob("*.yar"))]
        compiler = yara_x.Compiler(error_on_slow_pattern=True, includes_enabled=False)
        for source in sources:
            compiler.add_source(source.decode())
        self._rules = compiler.build()
        self._overlap = max(_reach(rule) for rule in self._rules) - 1
        self._limits = limits or Limits()
        self.engine_version = version("yara-x")
        """The version of the engine, of its package."""
        self.signature_version = hashlib.sha256(b"\0".join(sources)).hexdigest()[:16]
        """The beginning of the SHA-256 of all signatures."""

    def begin(self) -> "Scan":
        """Begin the scan of one upload."""
        return Scan(self._rules, self._overlap, self._limits)


class Scan:
    """The scan of one upload, fed in order. Not for two threads at once; blocks, so not for a loop.

    Holds the chunk at hand and less than a kilobyte of the one before.
    """

    def __init__(self, rules: yara_x.Rules, overlap: int, limits: Limits) -> None:
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

    def finish(self, spool: IO[bytes] | None) -> Findings:
        """Say what was found in the bytes fed, and look into them if they are an archive.

        `spool` is a seekable file of the same bytes. Without it an archive (`archive.is_archive`)
        is refused as "archive-too-large".
        """
        refusal = None
        try:
            # What is infected already needs no second look.
            if not self._matches:
                self._look_into(spool)
        except RefusedArchiveError as error:
            refusal = error.reason
        matches = tuple(sorted(self._matches))
        return Findings(matches, None if matches else refusal)

    def _look_into(self, spool: IO[bytes] | None) -> None:
        if spool is None:
            refuse_unsupported(self._head)
            if is_archive(self._head):
                raise RefusedArchiveError("archive-too-large")
            return
        self._tail = b""
        for piece in contents(spool, self._limits):
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
