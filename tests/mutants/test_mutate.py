"""Each decision of a rule is changed, and each change has a name of its own."""

import pytest

from tests.mutants.mutate import mutants


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("a < b", {"a < b -> a <= b", "a < b -> a >= b"}),
        ("a <= b", {"a <= b -> a < b", "a <= b -> a > b"}),
        ("a == b", {"a == b -> a != b"}),
        ("a is b", {"a is b -> a is not b"}),
        ("a not in b", {"a not in b -> a in b"}),
        ("a and b", {"a and b -> a or b"}),
        ("not a", {"not a -> a"}),
        ("min(a)", {"min(a) -> max(a)"}),
        ("A = 7", {"7 -> 8 in A = 7", "7 -> 6 in A = 7"}),
        ("raise a", {"raise a -> pass"}),
        ("a = True", set()),
        ("'a text'", set()),
    ],
)
def test_a_decision_is_changed(source, changes):
    assert {mutant.name for mutant in mutants(source)} == {f"module: {each}" for each in changes}


def test_a_mutant_is_named_by_its_place():
    source = "class A:\n    def f(self):\n        return a == b, a == b\n"
    assert [mutant.name for mutant in mutants(source)] == [
        "A.f: a == b -> a != b",
        "A.f: a == b -> a != b (2)",
    ]


def test_a_mutant_has_one_change():
    names = {"a": 1, "b": 2}
    for mutant in mutants("x = a < b and a != b"):
        exec(compile(mutant.tree, "mutant", "exec"), names)  # the changed code is code
    changed = [mutant.name for mutant in mutants("x = a < b and a != b")]
    assert len(changed) == len(set(changed)) == 4
