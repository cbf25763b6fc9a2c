"""The name of a class or of a type stands for one thing in the whole repository."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def names_of(file):
    """The public classes and type aliases that a module defines."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.TypeAlias):
            yield node.name.id


def test_no_two_modules_define_a_class_or_a_type_of_one_name():
    places = defaultdict(list)
    for folder in ("functions", "shared", "infra"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" in file.parts:
                continue
            for name in names_of(file):
                if not name.startswith("_"):
                    places[name].append(str(file.relative_to(ROOT)))
    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
