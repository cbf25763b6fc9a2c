"""`reference/problems.md`: every stable code of a problem, collected from the code.

A code is the first argument of an error of the family `RefusalError`, or the second argument of
the function that makes a problem for an error outside the family. The status is the class's.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.docs import markdown
from infra.docs.markdown import code
from infra.local.settings import ROOT

_BASE: Final = "RefusalError"
_OPEN: Final = "…"
_INTRODUCTION: Final = """\
A refused request is answered with an RFC 9457 problem, `application/problem+json`. `type` is
`urn:vouchsafe:problem:` and a code of the table, and the code is stable. `title` is the code as a
sentence; `detail` says what is wrong, and `remedy` what to do. `…` stands for a part that differs.

A message that can never succeed is parked with the code as `parked-reason`, the detail as
`parked-detail` and the remedy as `parked-remedy`. A code without a status is only ever the reason
of a parked message."""

TWO_STATUSES: Final[Mapping[str, str]] = {
    "internal-error": "A message is parked with the code after three unforeseen failures.",
    "log-damaged": "An event for a damaged log is parked with the code.",
}
"""Codes with a status of HTTP and with another of the error that parks a message, and why."""

PARKED_ONLY: Final = frozenset(
    {
        "event-source-reserved",
        "message-data-invalid",
        "message-invalid",
        "message-type-misdirected",
        "message-type-unknown",
        "scan-result-invalid",
        "scan-result-not-ours",
        "scan-result-type-unknown",
        "scan-result-unexpected",
        "session-differs",
        "upload-gone",
    }
)
"""Codes that no request is answered with."""


class ProblemsError(Exception):
    """The codes in the source contradict each other, or the lists of this module."""


@dataclass(frozen=True, slots=True)
class ProblemEntry:
    """One place in the source that makes a problem."""

    code: str
    status: int
    detail: str
    remedy: str


def page() -> bytes:
    """Return the page. Raises ProblemsError as `collect` does."""
    found = collect(source for wing in ("functions", "shared") for source in _sources(wing))
    return markdown.page(
        "Problems",
        _INTRODUCTION,
        markdown.table(
            ("code", "status", "title", "detail", "remedy"),
            (_row(name, problems) for name, problems in sorted(found.items())),
        ),
    )


def collect(sources: Iterable[str]) -> Mapping[str, Sequence[ProblemEntry]]:
    """Return the problems that the modules with these texts make, by code.

    Raises ProblemsError for a code with two statuses that `TWO_STATUSES` does not explain, and for
    a code of this module's lists that no source makes.
    """
    trees = [ast.parse(source) for source in sources]
    statuses = _statuses(trees)
    found: defaultdict[str, list[ProblemEntry]] = defaultdict(list)
    for tree in trees:
        for problem in _problems(tree, statuses):
            if problem not in found[problem.code]:
                found[problem.code].append(problem)
    several = {name for name, made in found.items() if len({one.status for one in made}) > 1}
    for fault, names in (
        ("have two statuses", several - TWO_STATUSES.keys()),
        ("have one status, though the list says two", TWO_STATUSES.keys() - several),
        ("are in the list of parked messages, and nowhere else", PARKED_ONLY - found.keys()),
    ):
        if names:
            raise ProblemsError(f"These codes {fault}: {', '.join(sorted(names))}.")
    return found


def _row(name: str, problems: Sequence[ProblemEntry]) -> Sequence[str]:
    # The status of a request comes first: the status of a parked message tells a sender nothing.
    statuses = sorted({one.status for one in problems}, reverse=True)
    status = "" if name in PARKED_ONLY else str(statuses[0])
    reason = TWO_STATUSES.get(name, "")
    # In the order of the alphabet, so that a module that moves changes nothing.
    details = " / ".join(sorted({one.detail for one in problems}))
    # A remedy that the source does not spell out comes with each answer.
    remedies = " / ".join(sorted({one.remedy for one in problems if one.remedy != _OPEN}))
    title = name.replace("-", " ").capitalize()
    return code(name), status, title, f"{details} {reason}".strip(), remedies


def _sources(wing: str) -> Iterator[str]:
    for path in sorted(Path(ROOT / wing).rglob("*.py")):
        yield path.read_text(encoding="utf-8")


def _statuses(trees: Sequence[ast.Module]) -> Mapping[str, int]:
    """Return the status of each class of the family, by name; a subclass inherits the status."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    statuses = {_BASE: 400}
    while True:
        new = {
            node.name: _own_status(node) or statuses[base]
            for node in classes
            for base in map(ast.unparse, node.bases)
            if base in statuses and node.name not in statuses
        }
        if not new:
            return statuses
        statuses |= new


def _own_status(node: ast.ClassDef) -> int | None:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "status":
            return int(ast.literal_eval(statement.value))
    return None


def _problems(tree: ast.Module, statuses: Mapping[str, int]) -> Iterator[ProblemEntry]:
    names = _constants(tree)
    for status, arguments in _made(tree, statuses):
        texts = [_text(argument, names) for argument in arguments[:3]]
        if len(texts) == 3 and texts[0] != _OPEN:
            yield ProblemEntry(texts[0], status, texts[1], texts[2])


def _made(
    tree: ast.Module, statuses: Mapping[str, int]
) -> Iterator[tuple[int, Sequence[ast.expr]]]:
    """Yield the status of each problem that is made, and the arguments code, detail, remedy."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in statuses:
            # A class of the family may have a code of its own.
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call) and ast.unparse(inner.func) == "super().__init__":
                    yield statuses[node.name], inner.args
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in statuses:
                yield statuses[called], node.args
            elif called.endswith("problem") and node.args:
                given = node.args[0]
                if isinstance(given, ast.Constant) and isinstance(given.value, int):
                    # The title stands between the code and the detail.
                    yield given.value, [node.args[1], *node.args[3:]]


def _constants(tree: ast.Module) -> Mapping[str, ast.expr]:
    """Return the values of the module's constants, by name."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found[ast.unparse(node.target)] = node.value
    return found


def _text(node: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """Return a text as the source has the text, with a mark for each part that differs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and isinstance(names.get(node.id), ast.Constant):
        return _text(names[node.id], names)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        text = _text(node.value, names)
        grouped = node.format_spec is not None and text.isdecimal()
        return f"{int(text):,}" if grouped else text
    return _OPEN
