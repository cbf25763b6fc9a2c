"""Finds: what discovery found, and the managers' decisions on it. Pure rules.

A find is an asset with its companions, which are shown, erased or left as one.
"""

from collections.abc import Collection, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shared.errors import InvalidInputError, NotFoundError
from shared.rows import Stored
from shared.subjects.matching import CERTAINTIES, Certainty, Match

type FindDecision = Literal["include", "leave-out"]
type FindReason = Literal[
    "another-person", "not-a-person", "kept-by-law", "public-interest", "other"
]

# Fields of a find that are kept; a find with more fields has MORE_FIELDS among them.
_MAX_FIELDS: Final = 60
MORE_FIELDS: Final = "…"


class FoundAsset(Stored, frozen=True):
    """An asset of a find; `size` is in bytes."""

    id: str
    size: int


class Find(Stored, frozen=True):
    """An asset that names the data subject, with its companions.

    `assets` begin with the asset that was found first. `fields` are the metadata fields
    with a match, `certainty` is the surest match. `decision` is a manager's on this find alone.
    """

    id: str
    certainty: Certainty
    assets: tuple[FoundAsset, ...]
    fields: tuple[str, ...]
    decision: FindDecision | None = None
    reason: FindReason | None = None


class FieldDecision(Stored, frozen=True, forbid_unknown_fields=True):
    """A decision on every find in a metadata field."""

    field: Annotated[str, Meta(min_length=1, max_length=256)]
    decision: FindDecision
    reason: FindReason | None = None


class CertaintyDecision(Stored, frozen=True, forbid_unknown_fields=True):
    """A decision on every find of a certainty."""

    certainty: Certainty
    decision: FindDecision
    reason: FindReason | None = None


class SingleDecision(Stored, frozen=True, forbid_unknown_fields=True):
    """A decision on one find."""

    id: str
    decision: FindDecision
    reason: FindReason | None = None


class FindChoice(Stored, frozen=True):
    """The decisions on whole fields and certainties."""

    fields: tuple[FieldDecision, ...] = ()
    certainties: tuple[CertaintyDecision, ...] = ()


def find_of(identifier: str, assets: Sequence[FoundAsset], matches: Sequence[Match]) -> Find:
    """Make the find of an asset and its companions from the asset's matches, the surest first."""
    fields = sorted({match.field for match in matches})
    return Find(
        id=identifier,
        certainty=matches[0].certainty,
        assets=tuple(dict.fromkeys(assets)),
        fields=_bounded(fields),
    )


def joined(one: Find | None, other: Find) -> Find:
    """Join two finds of the same companions; the same find twice is one."""
    if one is None:
        return other
    surest = min(one.certainty, other.certainty, key=CERTAINTIES.index)
    return msgspec.structs.replace(
        one,
        certainty=surest,
        assets=tuple(dict.fromkeys((*one.assets, *other.assets))),
        fields=_bounded(sorted({*one.fields, *other.fields})),
    )


def decision_on(find: Find, choice: FindChoice) -> tuple[FindDecision, FindReason | None]:
    """Return the decision on a find, with its reason.

    The decision on the find alone counts first, then on its fields, then on its certainty. A find
    is left out by its fields only where every one of them is. Without any decision `named` is
    included, and nothing else is.
    """
    if find.decision is not None:
        return find.decision, find.reason
    by_field = {one.field: one for one in choice.fields}
    decided = [by_field.get(field) for field in find.fields]
    included = next((one for one in decided if one and one.decision == "include"), None)
    if included is not None:
        return "include", included.reason
    left = [one for one in decided if one is not None]
    if left and len(left) == len(decided):
        return "leave-out", left[0].reason
    for one in choice.certainties:
        if one.certainty == find.certainty:
            return one.decision, one.reason
    return ("include" if find.certainty == "named" else "leave-out"), None


def with_choice(
    choice: FindChoice,
    fields: Collection[FieldDecision],
    certainties: Collection[CertaintyDecision],
) -> FindChoice:
    """Add decisions to a choice; a later decision replaces an earlier on the same.

    Raises InvalidInputError for too many fields.
    """
    by_field = {one.field: one for one in (*choice.fields, *fields)}
    by_certainty = {one.certainty: one for one in (*choice.certainties, *certainties)}
    if len(by_field) > _MAX_FIELDS:
        raise InvalidInputError(
            "too-many-fields",
            f"A request takes decisions on {_MAX_FIELDS} fields.",
            "Decide on the single finds instead.",
        )
    return FindChoice(fields=tuple(by_field.values()), certainties=tuple(by_certainty.values()))


def no_such_find() -> NotFoundError:
    """Make the answer for a find that the preview does not have."""
    return NotFoundError(
        "find-not-found",
        "The preview has no such find.",
        "Read the finds again, and decide on those.",
    )


def _bounded(fields: Sequence[str]) -> tuple[str, ...]:
    known = [field for field in fields if field != MORE_FIELDS]
    if len(known) == len(fields) <= _MAX_FIELDS:
        return tuple(known)
    return (*known[:_MAX_FIELDS], MORE_FIELDS)
