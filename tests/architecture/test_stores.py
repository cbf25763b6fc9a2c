"""The names of stores stand in the catalogue alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.catalogue import STORES

ROOT = Path(__file__).parents[2]
# Receivers and functions with a store's name as the first argument, by the last word.
PORTS = ("tables", "blobs", "bus", "outbox")
MAKERS = ("OutgoingMessage", "encode")
KEYWORDS = ("queue", "queue_name", "table", "container")


def app_sources() -> dict[str, str]:
    """Read the app's modules but the catalogue, by path."""
    files = (path for package in ("functions", "shared") for path in (ROOT / package).rglob("*.py"))
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}
    return {name: text for name, text in texts.items() if name != "shared/catalogue.py"}


def word(node: ast.expr) -> str:
    """Return the last word of `a.b.word`, without underscores before it."""
    text = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return text.lstrip("_")


def store_names(tree: ast.AST) -> Iterator[ast.expr]:
    """Find the names of stores in calls of ports and of makers of messages."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        port = isinstance(call.func, ast.Attribute) and word(call.func.value) in PORTS
        maker = isinstance(call.func, ast.Name) and call.func.id in MAKERS
        if call.args and (port or maker):
            yield call.args[0]
        yield from (named.value for named in call.keywords if named.arg in KEYWORDS)


def constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Find the constants of a module with their values."""
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield word(statement.target), statement.value
        elif isinstance(statement, ast.Assign):
            yield from ((word(target), statement.value) for target in statement.targets)


def is_text(node: ast.expr) -> bool:
    """Tell whether an expression is a text in the code."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def strays(sources: dict[str, str]) -> set[tuple[str, str]]:
    """Find texts in the code with the name of a store: in a call, or in a constant of a call."""
    trees = {path: ast.parse(text) for path, text in sources.items()}
    named = [(path, node) for path, tree in trees.items() for node in store_names(tree)]
    used = {word(node) for _, node in named if word(node)}
    return {(path, ast.unparse(node)) for path, node in named if is_text(node)} | {
        (path, ast.unparse(value))
        for path, tree in trees.items()
        for constant, value in constants(tree)
        if constant in used and is_text(value)
    }


def test_every_store_is_named_in_the_catalogue_alone():
    assert strays(app_sources()) == set()


@pytest.mark.parametrize(
    "planted",
    [
        "await self._tables.get({!r}, partition, row)",
        "blobs.scan({!r})",
        "await bus.oldest({!r})",
        "_TABLE: Final = {!r}\nawait tables.commit(_TABLE, [])",
        "TABLE = {!r}\nawait outbox.flush(TABLE, partition)",
        "messages = [encode({!r}, data, identifier=identifier, now=now)]",
        "@blueprint.service_bus_queue_trigger('message', queue_name={!r})\ndef f(): pass",
    ],
)
def test_a_planted_name_of_a_store_is_found(planted):
    for store in STORES:
        sources = {"shared/planted.py": planted.format(store.name)}
        assert strays(sources) == {("shared/planted.py", repr(store.name))}


def test_the_name_of_a_store_that_another_module_imports_is_found():
    sources = {
        "shared/rows.py": "STORED: Final = 'unlisted'",
        "shared/planted.py": "from shared import rows\nawait tables.get(rows.STORED, '', '')",
    }
    assert strays(sources) == {("shared/rows.py", "'unlisted'")}
