"""The severity by ENISA's method, as tables."""

import msgspec
import pytest

from shared.breaches.severity import (
    ADJUSTMENTS,
    SeverityFactors,
    level_of,
    severity,
)
from shared.errors import InvalidInputError


@pytest.mark.parametrize(
    ("chosen", "score", "level"),
    [
        ({"dataKind": "simple", "identification": "negligible"}, 0.25, "low"),
        ({"dataKind": "simple", "identification": "maximum", "isMalicious": True}, 1.5, "low"),
        (
            {
                "dataKind": "simple",
                "identification": "maximum",
                "confidentiality": "unknown-recipients",
                "isMalicious": True,
            },
            2.0,
            "medium",
        ),
        (
            {
                "dataKind": "behavioural",
                "identification": "significant",
                "confidentiality": "known-recipients",
            },
            1.75,
            "low",
        ),
        ({"dataKind": "financial", "identification": "maximum"}, 3.0, "high"),
        (
            {"dataKind": "financial", "identification": "maximum", "adjustment": -2},
            1.0,
            "low",
        ),
        ({"dataKind": "sensitive", "identification": "maximum"}, 4.0, "very-high"),
        (
            {
                "dataKind": "sensitive",
                "identification": "significant",
                "integrity": "recoverable",
                "availability": "full",
            },
            3.75,
            "high",
        ),
        (
            {"dataKind": "simple", "identification": "limited", "confidentiality": "no-evidence"},
            0.5,
            "low",
        ),
    ],
)
def test_a_score_is_the_context_times_the_identification_plus_the_circumstances(
    chosen: dict[str, object], score: float, level: str
) -> None:
    factors = msgspec.convert({"reason": "known", **chosen}, SeverityFactors)
    found = severity(factors, 3)
    assert (found.score, found.level) == (score, level)
    values = {one.name: one.value for one in found.factors}
    circumstances = sum(value for name, value in values.items() if name.startswith("CB"))
    assert values["DPC"] * values["EI"] + circumstances == score
    assert all(one.explanation for one in found.factors)


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0, "low"),
        (1.75, "low"),
        (2, "medium"),
        (2.75, "medium"),
        (3, "high"),
        (3.75, "high"),
        (4, "very-high"),
        (6, "very-high"),
    ],
)
def test_the_level_begins_at_its_lower_bound(score: float, level: str) -> None:
    assert level_of(score) == level


@pytest.mark.parametrize("kind", ["simple", "behavioural", "financial", "sensitive"])
@pytest.mark.parametrize("adjustment", range(-4, 5))
def test_the_context_stays_between_one_and_four(kind: str, adjustment: int) -> None:
    factors = SeverityFactors(
        data_kind=kind,  # type: ignore[arg-type]
        identification="maximum",
        adjustment=adjustment,
        reason="why",
    )
    if adjustment in ADJUSTMENTS[factors.data_kind]:
        assert 1 <= severity(factors, 1).score <= 4
    else:
        with pytest.raises(InvalidInputError, match="severity-adjustment-invalid"):
            severity(factors, 1)


def test_an_adjustment_needs_a_reason() -> None:
    factors = SeverityFactors(data_kind="simple", identification="limited", adjustment=1)
    with pytest.raises(InvalidInputError, match="severity-reason-missing"):
        severity(factors, 1)


@pytest.mark.parametrize(
    ("persons", "is_unintelligible", "notes"),
    [(100, False, 0), (101, False, 1), (None, False, 1), (None, True, 2), (0, False, 0)],
)
def test_the_number_of_persons_and_encryption_are_notes_beside_the_score(
    persons: int | None, is_unintelligible: bool, notes: int
) -> None:
    factors = SeverityFactors(
        data_kind="simple", identification="limited", is_unintelligible=is_unintelligible
    )
    assert len(severity(factors, persons).notes) == notes
