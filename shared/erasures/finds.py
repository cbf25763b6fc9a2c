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
    with a match, `certainty` is the surest match. `decision` is a manager's on this find alone, and
    once the request is approved the decision that holds. `fields` are gone then, because a file may
    name a field. `keys` are the versions of the data key that sealed the matching texts.
    `companion_of` is the erased asset whose late companions the assets are.
    """

    id: str
    certainty: Certainty
    assets: tuple[FoundAsset, ...]
    fields: tuple[str, ...]
    decision: FindDecision | None = None
    reason: FindReason | None = None
    keys: tuple[str, ...] = ()
    companion_of: str | None = None


class ApprovedAsset(Stored, frozen=True):
    """An asset that is to be erased, until the request is completed.

    `certainty` is the find's. `path` has the canonical path and `Asset.companions`, sealed in
    base64 under the version `key` of the data key; None for an asset that was gone before.
    """

    asset: str
    certainty: Certainty
    path: str | None = None
    key: str | None = None


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


def find_of(
    identifier: str, assets: Sequence[FoundAsset], matches: Sequence[Match], key: str
) -> Find:
    """Make the find of an asset and its companions from the asset's matches, the surest first.

    `key` is the version of the data key that sealed the asset's texts.
    """
    fields = sorted({match.field for match in matches})
    return Find(
        id=identifier,
        certainty=matches[0].certainty,
        assets=tuple(dict.fromkeys(assets)),
        fields=_bounded(fields),
        keys=(key,),
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
        keys=tuple(sorted({*one.keys, *other.keys})),
        companion_of=one.companion_of or other.companion_of,
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


def settled(find: Find, choice: FindChoice) -> Find:
    """Return a find with the decision that holds for good, and without the names of fields."""
    decision, reason = decision_on(find, choice)
    return msgspec.structs.replace(find, decision=decision, reason=reason, fields=())


def for_later_finds(choice: FindChoice) -> FindChoice:
    """Return the decisions that hold for finds of a later preview: those that leave finds out.

    Nobody has seen the later finds, so no earlier decision includes one.
    """
    return FindChoice(
        fields=tuple(one for one in choice.fields if one.decision == "leave-out"),
        certainties=tuple(one for one in choice.certainties if one.decision == "leave-out"),
    )


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


def no_such_field() -> NotFoundError:
    """Make the answer for a decision on a field that no find has a match in."""
    return NotFoundError(
        "field-not-found",
        "A field is decided on in which no find of the preview has a match.",
        "Write each field as the finds do.",
    )


def no_asset_of_find() -> NotFoundError:
    """Make the answer for an asset that a find does not have, or that is gone."""
    return NotFoundError(
        "asset-not-found",
        "The find has no such asset, or the asset was erased or replaced.",
        "Read the finds again.",
    )


def _bounded(fields: Sequence[str]) -> tuple[str, ...]:
    known = [field for field in fields if field != MORE_FIELDS]
    if len(known) == len(fields) <= _MAX_FIELDS:
        return tuple(known)
    return (*known[:_MAX_FIELDS], MORE_FIELDS)
