"""Run the rules' own tests on each mutant: `python -m tests.mutants [shared/consents/rules.py]`.

Prints the mutants without a failing test. `equivalent.toml` lists the mutants with the same
decisions as the rule, with the reason. Exits with 1 for a survivor without a place in the list,
and for a listed mutant with a failing test.
"""

import ast
import contextlib
import importlib.abc
import importlib.util
import io
import os
import signal
import sys
import tomllib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import pytest

from tests.mutants.mutate import Mutant, mutants

ROOT: Final = Path(__file__).parents[2]
EQUIVALENT: Final = Path(__file__).with_name("equivalent.toml")
RULES: Final = {
    "shared/accesses/rules.py": "tests/accesses/test_rules.py",
    "shared/assets/rules.py": "tests/assets/test_rules.py",
    "shared/blob_names.py": "tests/test_blob_names.py",
    "shared/assets/runs.py": "tests/rescans/test_rules.py",
    "shared/backups/rules.py": "tests/backups/test_rules.py",
    "shared/compare_and_set.py": "tests/test_compare_and_set.py",
    "shared/consents/rules.py": "tests/consents/test_rules.py",
    "shared/erasures/rules.py": "tests/erasures/test_rules.py",
    "shared/identity/rules.py": "tests/identity/test_rules.py",
    "shared/intake/failures.py": "tests/intake/test_failures.py",
    "shared/intake/rules.py": "tests/intake/test_rules.py",
    "shared/intake/upload_urls.py": "tests/intake/test_upload_urls.py",
    "shared/incidents/rules.py": "tests/incidents/test_rules.py",
    "shared/residency.py": "tests/test_residency.py",
    "shared/messages/cloudevents.py": "tests/messages/test_cloudevents.py",
    "shared/rereads/rules.py": "tests/rereads/test_rules.py",
    "shared/rescans/rules.py": "tests/rescans/test_rules.py",
    "shared/subjects/addresses.py": "tests/subjects/test_cases.py",
    "shared/subjects/sealing.py": "tests/subjects/test_sealing.py",
    "shared/subjects/companions.py": "tests/subjects/test_companions.py",
    "shared/tenancy/rules.py": "tests/tenancy/test_rules.py",
}
# A mutant may loop for ever; the tests of one file take a second or two.
_SECONDS: Final = 120


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads a mutant in place of the module."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def get_source(self, fullname: str) -> str:
        return self._path.read_text(encoding="utf-8")

    def get_code(self, fullname: str) -> CodeType:
        return self._code


def start(file: str, tree: ast.Module) -> int:
    """Start the tests of a file on a mutant; return the id of their process."""
    child = os.fork()
    if child:
        return child
    signal.alarm(_SECONDS)
    name = file.removesuffix(".py").replace("/", ".")
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--fast"]
    try:
        sys.meta_path.insert(0, _Mutated(name, ROOT / file, compile(tree, file, "exec")))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            status = int(pytest.main([*options, RULES[file]]))
    except BaseException:  # noqa: BLE001 - a mutant that cannot be loaded is found
        status = 1
    os._exit(min(status, 125))


def survivors(file: str, made: Sequence[Mutant]) -> list[Mutant]:
    """Run the tests on every mutant, two a processor; return the mutants that pass."""
    waiting, running, passed = list(made), dict[int, Mutant](), set[str]()
    while waiting or running:
        while waiting and len(running) < 2 * (os.process_cpu_count() or 1):
            mutant = waiting.pop()
            running[start(file, mutant.tree)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            passed.add(mutant.name)
    return [mutant for mutant in made if mutant.name in passed]


def examine(file: str) -> list[str]:
    """Return the names of the mutants of a file that no test finds, and print how many."""
    source = (ROOT / file).read_text(encoding="utf-8")
    if not (ROOT / RULES[file]).is_file():
        report(f"{file}: no tests in {RULES[file]}")
        return [mutant.name for mutant in mutants(source)]
    unchanged = Mutant("unchanged", ast.parse(source))
    if not survivors(file, [unchanged]):
        raise SystemExit(f"{RULES[file]} fails on the unchanged {file}")
    made = list(mutants(source))
    left = survivors(file, made)
    report(f"{file}: {len(made)} mutants, {len(made) - len(left)} found")
    return [mutant.name for mutant in left]


def report(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(files: Sequence[str]) -> int:
    """Examine the files, all of them by default; return the exit code."""
    equivalent = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    status = 0
    for file in files or RULES:
        listed, left = set(equivalent.get(file, {})), set(examine(file))
        for name in sorted(left - listed):
            report(f"SURVIVES: {file}: {name}")
        for name in sorted(listed - left):
            report(f"LISTED BUT FOUND: {file}: {name}")
        status |= listed != left
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
