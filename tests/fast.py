"""The tests of `make test-fast`: those that need no service and no library of Azure.

A test is fast unless its module imports one of `SLOW`, itself or through helpers of the tests, or
the test uses one of `SLOW_FIXTURES` or has the marker `EXHAUSTING`. A test that starts a process is
slow. No list of fast tests is kept. In a fast run an import of `REFUSED` fails, so a pure module
that begins to need Azure cannot pass unseen.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
REFUSED: Final = ("azure", "azure_functions_runtime", "azurefunctions", "infra.local.stack")
SLOW: Final = (
    *REFUSED,
    "function_app",
    "functions",
    "infra.docs",
    "infra.local",
    # The commands are tested with servers and processes of their own.
    "infra.ops",
    "shared.azure",
    # A child process imports whatever it likes, waits for a core of its own, and may never end.
    "multiprocessing",
    "subprocess",
    "shared.metadata.worker_process",
)
# The broker's model of queues, frames and messages is pure.
PURE: Final = ("infra.local.servicebus",)
SERVICES: Final = frozenset(
    {"broker", "client", "new_host", "proxied", "services", "stack", "storage", "vault"}
)
# They start import-linter and pytest for each planted violation.
EXHAUSTING: Final = "exhausting"
"""The marker of a test whose input takes seconds on purpose: a bomb, or a limit of time."""
SLOW_FIXTURES: Final = SERVICES | {"run_fast", "tree"}


class SlowImportError(BaseException):
    """A fast test imported what needs a service or Azure. No `except Exception` hides the error."""


class _Refusal(MetaPathFinder):
    """Refuses the imports that a fast run must not make."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise SlowImportError for a refused module, and leave every other module alone."""
        if _is_in(name, REFUSED):
            raise SlowImportError(
                f"a fast test imports {name}: take the import out of the pure module, or name the "
                "test's own slow import or fixture in tests/fast.py"
            )
        return None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--fast`."""
    parser.addoption("--fast", action="store_true", help="run only what needs no service")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse slow imports from here on. Raises UsageError where one was made before."""
    config.addinivalue_line(
        "markers", f"{EXHAUSTING}: an input that takes seconds on purpose; no part of a fast run"
    )
    if config.getoption("fast"):
        made = sorted(name for name in sys.modules if _is_in(name, REFUSED))
        if made:
            raise pytest.UsageError(f"tests/conftest.py imports {made[0]}: import it in a fixture")
        sys.meta_path.insert(0, _Refusal())


def pytest_unconfigure() -> None:
    """Allow every import again."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Refusal)]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules of slow tests out of a fast run, and folders of nothing else, unimported."""
    if not config.getoption("fast"):
        return None
    modules = [*collection_path.rglob("test_*.py")] or [collection_path]
    return True if all(map(_is_slow, modules)) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a fast run the tests that use a slow fixture, or exhaust a limit."""
    if config.getoption("fast"):
        slow = [
            item
            for item in items
            if item.get_closest_marker(EXHAUSTING)
            or SLOW_FIXTURES & set(getattr(item, "fixturenames", ()))
        ]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@cache
def slow_import(path: Path) -> str | None:
    """Return the slow import of a test's module or of its helpers; None for a fast module."""
    for name in _imports(path):
        if _is_in(name, SLOW) and not _is_in(name, PURE):
            return name
        helper = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if name.startswith("tests.") and helper.is_file() and (slow := slow_import(helper)):
            return slow
    return None


def _is_slow(path: Path) -> bool:
    return path.suffix == ".py" and slow_import(path) is not None


def _imports(path: Path) -> Iterator[str]:
    """Find what a module imports, also in functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)


def _is_in(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
