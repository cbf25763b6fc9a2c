"""Collecting the stable codes of problems from source text."""

import pytest

from infra.docs import problems
from infra.docs.problems import ProblemsError, collect

FAMILY = """
class RefusalError(Exception):
    status: ClassVar[int] = 400

class NotFoundError(RefusalError):
    status = 404

class GoneError(NotFoundError):
    def __init__(self, index):
        super().__init__("thing-gone", f"Thing {index} has gone.", "Ask again.")

class IntegrityError(Exception):
    def __init__(self, text):
        super().__init__(text)
"""


@pytest.fixture(autouse=True)
def no_exceptions(monkeypatch):
    monkeypatch.setattr(problems, "TWO_STATUSES", {})
    monkeypatch.setattr(problems, "PARKED_ONLY", frozenset())


def found(source):
    return {
        name: [(one.status, one.detail, one.remedy) for one in made]
        for name, made in collect([FAMILY, source]).items()
        if name != "thing-gone"
    }


def test_a_code_has_the_status_of_its_class():
    assert found('raise NotFoundError("no-such-thing", "No thing.", "Look.")') == {
        "no-such-thing": [(404, "No thing.", "Look.")]
    }


def test_a_subclass_with_a_code_of_its_own_inherits_the_status():
    (gone,) = collect([FAMILY])["thing-gone"]
    assert (gone.status, gone.detail) == (404, "Thing … has gone.")


def test_a_constant_of_the_module_is_read_and_any_other_part_is_open():
    source = """
CODE: Final = "thing-large"
LIMIT = 65_536
raise RefusalError(CODE, f"At most {LIMIT:,} bytes, not {given}.", remedy)
"""
    assert found(source) == {"thing-large": [(400, "At most 65,536 bytes, not ….", "…")]}


def test_a_problem_for_an_error_outside_the_family_is_read_without_its_title():
    source = '_problem(503, "down", "Down", "A service is down.", "Wait.", headers)'
    assert found(source) == {"down": [(503, "A service is down.", "Wait.")]}


def test_the_same_problem_in_two_places_is_one():
    source = 'NotFoundError("gone", "Gone.", "Look.")\n'
    assert len(found(source * 2)["gone"]) == 1


def test_two_statuses_of_a_code_need_a_reason(monkeypatch):
    source = 'NotFoundError("odd", "A.", "B.")\nRefusalError("odd", "C.", "D.")'
    with pytest.raises(ProblemsError, match="two statuses: odd"):
        found(source)
    monkeypatch.setattr(problems, "TWO_STATUSES", {"odd": "There are two ways."})
    assert [status for status, *_ in found(source)["odd"]] == [404, 400]


def test_a_list_of_this_module_names_no_code_that_is_not_made(monkeypatch):
    monkeypatch.setattr(problems, "PARKED_ONLY", frozenset({"long-gone"}))
    with pytest.raises(ProblemsError, match="long-gone"):
        found("")
    monkeypatch.setattr(problems, "PARKED_ONLY", frozenset())
    monkeypatch.setattr(problems, "TWO_STATUSES", {"long-gone": "Once."})
    with pytest.raises(ProblemsError, match="long-gone"):
        found("")
