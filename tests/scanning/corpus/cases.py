"""One file of the corpus and the verdict it must get."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from shared.scanning.scanner import Findings

INFECTED: Final = "infected"
CLEAN: Final = "clean"
STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Expected:
    """A verdict: "infected", "clean", "refused" with its reason, or "noted" with notes.

    "stopped" is for forgeries of which no reading is right: infected or refused.
    """

    verdict: str
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.verdict, *self.reasons))

    def allows(self, said: "Expected") -> bool:
        """Tell whether the verdict `said` will do."""
        if self.verdict == STOPPED:
            return said.verdict in (INFECTED, "refused")
        return self == said


def refused(reason: str) -> Expected:
    return Expected("refused", (f"archive-{reason}",))


def noted(*kinds: str) -> Expected:
    return Expected("noted", kinds)


def verdict(findings: Findings) -> Expected:
    """Return the verdict that `findings` amount to."""
    if findings.matches:
        return Expected(INFECTED)
    if findings.refusal:
        return Expected("refused", (findings.refusal,))
    kinds = tuple(sorted({part.what for part in findings.not_examined}))
    return Expected("noted", kinds) if kinds else Expected(CLEAN)


@dataclass(frozen=True, slots=True)
class Case:
    """A file: `kind` groups the table, and `build` makes the bytes, the same at every call."""

    kind: str
    name: str
    expected: Expected
    build: Callable[[], bytes]

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


class Cases:
    """Collect the cases of one kind; the decorated functions build the files."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._cases: list[Case] = []

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases)

    def add(self, name: str, expected: Expected | str, build: Callable[[], bytes]) -> None:
        expected = Expected(expected) if isinstance(expected, str) else expected
        self._cases.append(Case(self._kind, name, expected, build))
