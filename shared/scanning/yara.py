"""Scan an upload for malware in a stream, with YARA rules and in flat memory."""

import hashlib
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

import yara_x

from shared.scanning.archive import (
    Limits,
    contents,
    is_archive,
    refuse_unsupported,
)
from shared.scanning.carriers.marks import Marks
from shared.scanning.content_type import HEAD_SIZE, detect
from shared.scanning.scanner import (
    MAX_NOT_EXAMINED,
    Engine,
    Findings,
    NotExamined,
    RefusedArchiveError,
)

_SIGNATURES: Final = Path(__file__).parent / "signatures"


@dataclass(frozen=True, slots=True)
class _Rules:
    """Compiled rules; `within` are the prefixes of the media types that the rules are for."""

    compiled: yara_x.Rules
    within: tuple[str, ...]


class Signatures:
    """The compiled signatures. Build one a process; any number of threads may use it at once."""

    def __init__(self, signatures: Path = _SIGNATURES, limits: Limits | None = None) -> None:
        """Compile the `*.yar` files in `signatures`.

        Raises yara_x.CompileError for a rule that does not compile, and ValueError for a rule
        without its reach or its date (see the README beside the rules).
        """
        sources = [path.read_bytes() for path in sorted(signatures.glob("*.yar"))]
        self._rules = _grouped(sources)
        every = [rule for rules in self._rules for rule in rules.compiled]
        self._overlap = max(_reach(rule) for rule in every) - 1
        self._limits = limits or Limits()
        self.engine = Engine(
            name="yara-x",
            version=version("yara-x"),
            # The first 16 hexadecimal digits of the SHA-256 of the signatures.
            signatures=hashlib.sha256(b"\0".join(sources)).hexdigest()[:16],
            signatures_made_at=max(_made_at(rule) for rule in every),
        )
        """The engine, and the version and date of these signatures."""

    def begin(self) -> "YaraScan":
        """Begin the scan of one upload."""
        return YaraScan(self.engine, self._rules, self._overlap, self._limits)


class YaraScan:
    """The scan of one upload: see `scanner.Scan`.

    Holds the current chunk, and as many kilobytes of the previous chunk as a match may span.
    """

    def __init__(
        self, engine: Engine, rules: Sequence[_Rules], overlap: int, limits: Limits
    ) -> None:
        self.engine = engine
        self._new_stream = partial(_Stream, rules, overlap)
        self._limits = limits
        self._stream = self._new_stream()
        self._marks = Marks()

    def feed(self, chunk: bytes) -> None:
        """Scan the next bytes; chunks may be of any size."""
        self._stream.feed(chunk)
        self._marks.feed(chunk)

    def finish(self, file: IO[bytes] | None) -> Findings:
        """Return the findings in the bytes fed; an archive among the bytes is unpacked and scanned.

        Without its `file` an archive (`archive.is_archive`), or a file with the beginning of an
        archive within, is refused as "archive-too-large", and another carrier is noted.
        """
        matches = self._stream.matches()
        refusal = None
        notes: list[NotExamined] = []
        try:
            # An infected upload needs no second scan.
            if not matches:
                matches = self._look_into(file, notes)
        except RefusedArchiveError as error:
            refusal = error.reason
        return Findings(tuple(sorted(matches)), refusal, not_examined=tuple(notes))

    def close(self) -> None:
        """Do nothing: the scan holds no resource."""

    def _look_into(self, file: IO[bytes] | None, notes: list[NotExamined]) -> Set[str]:
        if file is None:
            refuse_unsupported(self._stream.head)
            if is_archive(self._stream.head):
                raise RefusedArchiveError("archive-too-large")
            notes.extend(self._marks.judge_unread())
            return frozenset()
        member = self._new_stream()
        for piece in contents(file, self._limits, self._marks):
            if isinstance(piece, NotExamined):
                if len(notes) <= MAX_NOT_EXAMINED:
                    notes.append(piece)
            elif piece:
                member.feed(piece)
            elif matches := member.matches():
                return matches
            else:
                member = self._new_stream()
        return frozenset()


class _Stream:
    """One stream of bytes, scanned in overlapping windows, with the rules for its type."""

    def __init__(self, rules: Sequence[_Rules], overlap: int) -> None:
        self._rules = rules
        self._overlap = overlap
        self._chosen: Sequence[yara_x.Rules] | None = None
        self._matches: set[str] = set()
        self._tail = b""
        self.head = b""

    def feed(self, chunk: bytes) -> None:
        if self._chosen is None:
            # The first bytes are held until the type can be told.
            self._tail += chunk
            if len(self._tail) < HEAD_SIZE:
                return
            chunk = self._begin()
        self._scan(chunk)

    def matches(self) -> Set[str]:
        """Return the rules that matched, after the last byte was fed."""
        if self._chosen is None:
            self._scan(self._begin())
        return self._matches

    def _begin(self) -> bytes:
        start, self._tail = self._tail, b""
        self.head = start[:HEAD_SIZE]
        media_type = detect(self.head, len(start))
        self._chosen = [
            rules.compiled
            for rules in self._rules
            if not rules.within or media_type.startswith(rules.within)
        ]
        return start

    def _scan(self, chunk: bytes) -> None:
        # A large chunk is not copied: a match across the border lies within the overlap.
        border = self._tail + chunk[: self._overlap]
        windows = (border, chunk) if len(chunk) > self._overlap else (border,)
        for rules in self._chosen or ():
            for window in windows:
                self._matches.update(rule.identifier for rule in rules.scan(window).matching_rules)
        self._tail = windows[-1][-self._overlap :]


def _grouped(sources: Sequence[bytes]) -> tuple[_Rules, ...]:
    """Compile the rules, grouped by media types: one pass over one group is faster."""
    groups: dict[tuple[str, ...], list[bytes]] = {}
    for source in sources:
        within, *others = {
            tuple(str(dict(rule.metadata).get("within", "")).split()) for rule in _compiled(source)
        }
        if others:
            raise ValueError("the rules of a file must be within the same media types")
        groups.setdefault(within, []).append(source)
    return tuple(_Rules(_compiled(*group), within) for within, group in groups.items())


def _compiled(*sources: bytes) -> yara_x.Rules:
    compiler = yara_x.Compiler(error_on_slow_pattern=True, includes_enabled=False)
    for source in sources:
        compiler.add_source(source.decode())
    return compiler.build()


def _reach(rule: yara_x.Rule) -> int:
    """Return the greatest length of a match of `rule`, in bytes, as the author states it."""
    reach = dict(rule.metadata).get("reach")
    if not isinstance(reach, int) or reach < 2:
        raise ValueError(f"the rule {rule.identifier} must state its reach in bytes")
    return reach


def _made_at(rule: yara_x.Rule) -> datetime:
    """Return the day on which `rule` was written or last changed, as the author states it."""
    written = dict(rule.metadata).get("date")
    try:
        return datetime.combine(date.fromisoformat(str(written)), time(), UTC)
    except ValueError as error:
        raise ValueError(f"the rule {rule.identifier} must state its date, YYYY-MM-DD") from error
