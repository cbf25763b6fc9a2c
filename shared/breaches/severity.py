"""The severity of a personal data breach by ENISA's method, SE = DPC x EI + CB: pure rules.

Source: ENISA, "Recommendations for a methodology of the assessment of severity of personal data
breaches", working document v1.0, December 2013. DPC is the data processing context, EI the ease of
identification, CB the circumstances of the breach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.errors import InvalidInputError
from shared.rows import Stored

type DataKind = Literal["simple", "behavioural", "financial", "sensitive"]
type EaseOfIdentification = Literal["negligible", "limited", "significant", "maximum"]
type ConfidentialityLoss = Literal["none", "no-evidence", "known-recipients", "unknown-recipients"]
type IntegrityLoss = Literal["none", "unused", "recoverable", "unrecoverable"]
type AvailabilityLoss = Literal["none", "recoverable", "temporary", "full"]
type SeverityLevel = Literal["low", "medium", "high", "very-high"]

_BASES: Final[Mapping[DataKind, int]] = {
    "simple": 1,
    "behavioural": 2,
    "financial": 3,
    "sensitive": 4,
}

ADJUSTMENTS: Final[Mapping[DataKind, Mapping[int, str]]] = {
    "simple": {
        0: "no aggravating context",
        1: "volume or controller allow a profile, or assumptions about social or financial status",
        2: "the data allow assumptions about health, sexual life, political or religious beliefs",
        3: "the data are critical for the safety or the health of persons, such as minors",
    },
    "behavioural": {
        -1: "the data tell little of behaviour, or are public",
        0: "no aggravating or lessening context",
        1: "volume or controller allow a profile of daily life and habits",
        2: "the data allow a profile from sensitive data",
    },
    "financial": {
        -2: "the data tell nothing of substance about finances",
        -1: "the data tell something of finances, but nothing of status or situation",
        0: "no aggravating or lessening context",
        1: "the data are complete enough for fraud, or for a detailed profile",
    },
    "sensitive": {
        -3: "the data tell nothing of substance, or are public",
        -2: "the data allow general assumptions alone",
        -1: "the data allow assumptions about sensitive information",
        0: "no lessening context",
    },
}
"""The context that changes the score of a kind of data, by the change of the score."""

_EI: Final[Mapping[EaseOfIdentification, float]] = {
    "negligible": 0.25,
    "limited": 0.5,
    "significant": 0.75,
    "maximum": 1.0,
}
_CONFIDENTIALITY: Final[Mapping[ConfidentialityLoss, tuple[float, str]]] = {
    "none": (0.0, "no loss of confidentiality"),
    "no-evidence": (0.0, "exposed, without evidence of unlawful processing"),
    "known-recipients": (0.25, "exposed to a known number of recipients"),
    "unknown-recipients": (0.5, "exposed to an unknown number of recipients"),
}
_INTEGRITY: Final[Mapping[IntegrityLoss, tuple[float, str]]] = {
    "none": (0.0, "no loss of integrity"),
    "unused": (0.0, "altered, without incorrect or unlawful use"),
    "recoverable": (0.25, "altered and perhaps used incorrectly; can be restored"),
    "unrecoverable": (0.5, "altered and perhaps used incorrectly; cannot be restored"),
}
_AVAILABILITY: Final[Mapping[AvailabilityLoss, tuple[float, str]]] = {
    "none": (0.0, "no loss of availability"),
    "recoverable": (0.0, "lost; can be restored without difficulty"),
    "temporary": (0.25, "unavailable for some time"),
    "full": (0.5, "lost; can be restored from nowhere"),
}
_MALICE: Final = 0.5
MANY_PERSONS: Final = 100
"""The number of persons above which the method asks for a note beside the score."""


class SeverityFactors(Stored, frozen=True):
    """The choices of an assessor.

    `adjustment` changes the score of `data_kind` (`ADJUSTMENTS`); `reason` says why. Where data of
    several kinds are concerned, `data_kind` is the kind with the highest score. `is_unintelligible`
    marks data that no recipient can read, such as data encrypted under a key that is safe.
    """

    data_kind: DataKind
    identification: EaseOfIdentification
    confidentiality: ConfidentialityLoss = "none"
    integrity: IntegrityLoss = "none"
    availability: AvailabilityLoss = "none"
    is_malicious: bool = False
    adjustment: int = 0
    is_unintelligible: bool = False
    reason: str = ""


class Factor(Stored, frozen=True):
    """A factor of the score: its name, its value, and the reason in words."""

    name: str
    value: float
    explanation: str


class SeverityScore(Stored, frozen=True):
    """The score SE, its level, the factors that make the score, and notes beside the score."""

    score: float
    level: SeverityLevel
    factors: tuple[Factor, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Band:
    level: SeverityLevel
    below: float


_BANDS: Final[Sequence[_Band]] = (_Band("low", 2), _Band("medium", 3), _Band("high", 4))


def level_of(score: float) -> SeverityLevel:
    """Return the level of a score: below 2 low, below 3 medium, below 4 high, else very high."""
    return next((band.level for band in _BANDS if score < band.below), "very-high")


def severity(factors: SeverityFactors, persons: int | None) -> SeverityScore:
    """Compute the score of a breach that concerns `persons`; None for an unknown number.

    Raises InvalidInputError for an adjustment that the kind of data does not have, or without a
    reason.
    """
    meanings = ADJUSTMENTS[factors.data_kind]
    if factors.adjustment not in meanings:
        raise InvalidInputError(
            "severity-adjustment-invalid",
            f"Data of the kind `{factors.data_kind}` have no adjustment of {factors.adjustment}.",
            f"Choose one of: {', '.join(str(one) for one in meanings)}.",
        )
    if factors.adjustment and not factors.reason.strip():
        raise InvalidInputError(
            "severity-reason-missing",
            "An adjustment of the data processing context needs a reason.",
            "Say in `reason` which context changes the score.",
        )
    base = _BASES[factors.data_kind]
    dpc, ei = float(base + factors.adjustment), _EI[factors.identification]
    circumstances = [
        Factor(name=name, value=value, explanation=explanation)
        for name, (value, explanation) in (
            ("CB confidentiality", _CONFIDENTIALITY[factors.confidentiality]),
            ("CB integrity", _INTEGRITY[factors.integrity]),
            ("CB availability", _AVAILABILITY[factors.availability]),
            ("CB malicious intent", (_MALICE, "intended") if factors.is_malicious else (0.0, "no")),
        )
    ]
    # Every value is a multiple of a quarter, so the sum is exact.
    score = dpc * ei + sum(one.value for one in circumstances)
    context = f"{factors.data_kind} data, basic score {base}; {meanings[factors.adjustment]}"
    if factors.reason.strip():
        context += f": {factors.reason.strip()}"
    return SeverityScore(
        score=score,
        level=level_of(score),
        factors=(
            Factor(name="DPC", value=dpc, explanation=context),
            Factor(name="EI", value=ei, explanation=f"{factors.identification} identification"),
            *circumstances,
        ),
        notes=tuple(_notes(factors, persons)),
    )


def _notes(factors: SeverityFactors, persons: int | None) -> Sequence[str]:
    notes = []
    if persons is None:
        notes.append("The number of persons could not be determined.")
    elif persons > MANY_PERSONS:
        notes.append(f"More than {MANY_PERSONS} persons: consider a higher level.")
    if factors.is_unintelligible:
        notes.append("The data are unintelligible to the recipients: consider a lower level.")
    return notes
