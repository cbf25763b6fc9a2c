"""The managers' decisions on finds."""

import pytest

from shared.erasures.finds import (
    MORE_FIELDS,
    CertaintyDecision,
    FieldDecision,
    Find,
    FindChoice,
    FoundAsset,
    decision_on,
    find_of,
    for_later_finds,
    joined,
    settled,
    with_choice,
)
from shared.errors import InvalidInputError
from shared.subjects.matching import Match

A, B, C = (FoundAsset(id=name, size=1) for name in "ABC")


def find(certainty="named", fields=("dc:creator",), **given):
    return Find(id="A", certainty=certainty, assets=(A,), fields=fields, **given)


def field(name, decision, reason=None):
    return FieldDecision(field=name, decision=decision, reason=reason)


@pytest.mark.parametrize(
    ("certainty", "decision"),
    [("named", "include"), ("likely", "leave-out"), ("possible", "leave-out")],
)
def test_named_is_preselected_and_nothing_else(certainty, decision):
    assert decision_on(find(certainty), FindChoice()) == (decision, None)


def test_the_decision_on_a_find_counts_first():
    choice = FindChoice(fields=(field("dc:creator", "include"),))
    left = find(decision="leave-out", reason="another-person")
    assert decision_on(left, choice) == ("leave-out", "another-person")


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([field("a", "leave-out", "not-a-person")], ("include", None)),
        (
            [field("a", "leave-out", "not-a-person"), field("b", "leave-out", "other")],
            ("leave-out", "not-a-person"),
        ),
        ([field("a", "leave-out"), field("b", "include", "other")], ("include", "other")),
        ([field("c", "leave-out")], ("include", None)),
    ],
)
def test_a_find_is_left_out_only_with_all_of_its_fields(decisions, expected):
    assert decision_on(find(fields=("a", "b")), FindChoice(fields=tuple(decisions))) == expected


def test_a_certainty_counts_last():
    likely = CertaintyDecision(certainty="likely", decision="include", reason="other")
    choice = FindChoice(certainties=(likely,))
    assert decision_on(find("likely"), choice) == ("include", "other")
    assert decision_on(find("possible"), choice) == ("leave-out", None)
    both = FindChoice(certainties=(likely,), fields=(field("dc:creator", "leave-out"),))
    assert decision_on(find("likely"), both) == ("leave-out", None)


def test_a_find_has_the_surest_match_and_every_field():
    matches = [
        Match(identifier=0, field="b", certainty="likely", how="initial"),
        Match(identifier=1, field="a", certainty="possible", how="surname"),
    ]
    made = find_of("A", [A, B, A], matches, "1")
    assert (made.certainty, made.fields, made.assets) == ("likely", ("a", "b"), (A, B))


def test_more_fields_than_are_kept_are_never_left_out_by_their_fields():
    matches = [
        Match(identifier=0, field=f"{n:03}", certainty="named", how="whole") for n in range(61)
    ]
    made = find_of("A", [A], matches, "1")
    assert len(made.fields) == 61
    assert made.fields[-1] == MORE_FIELDS
    choice = FindChoice(fields=tuple(field(one, "leave-out") for one in made.fields[:-1]))
    assert decision_on(made, choice)[0] == "include"
    assert joined(made, made) == made


def test_finds_of_companions_are_joined():
    one = Find(id="A", certainty="likely", assets=(A, B), fields=("a",))
    other = Find(id="A", certainty="named", assets=(B, C), fields=("b",))
    both = joined(one, other)
    assert (both.certainty, both.assets, both.fields) == ("named", (A, B, C), ("a", "b"))
    assert joined(None, one) == one
    assert joined(one, one) == one
    kept = find(decision="leave-out")
    assert joined(kept, find()).decision == "leave-out"


def test_a_later_decision_replaces_an_earlier():
    first = with_choice(FindChoice(), [field("a", "include")], [])
    second = with_choice(first, [field("a", "leave-out"), field("b", "include")], [])
    assert [(one.field, one.decision) for one in second.fields] == [
        ("a", "leave-out"),
        ("b", "include"),
    ]


@pytest.mark.parametrize(("count", "is_refused"), [(60, False), (61, True)])
def test_a_request_takes_so_many_fields(count, is_refused):
    decisions = [field(str(n), "include") for n in range(count)]
    if not is_refused:
        assert len(with_choice(FindChoice(), decisions, []).fields) == count
        return
    with pytest.raises(InvalidInputError) as refused:
        with_choice(FindChoice(), decisions, [])
    assert refused.value.code == "too-many-fields"


def test_a_settled_find_keeps_the_decision_and_no_field():
    choice = FindChoice(fields=(field("dc:creator", "leave-out", "another-person"),))
    kept = settled(find(), choice)
    assert (kept.decision, kept.reason, kept.fields) == ("leave-out", "another-person", ())
    assert settled(kept, FindChoice()) == kept
    assert settled(find("likely"), FindChoice()).decision == "leave-out"


def test_of_later_finds_earlier_decisions_include_none():
    choice = FindChoice(
        fields=(field("a", "include"), field("b", "leave-out")),
        certainties=(
            CertaintyDecision(certainty="likely", decision="include"),
            CertaintyDecision(certainty="named", decision="leave-out"),
        ),
    )
    later = for_later_finds(choice)
    assert [one.field for one in later.fields] == ["b"]
    assert [one.certainty for one in later.certainties] == ["named"]
