"""Which of a request's identifiers a text has, how, and how surely."""

from collections.abc import Sequence
from typing import Literal

from shared.rows import Stored

type Certainty = Literal["named", "likely", "possible"]


class Match(Stored, frozen=True):
    """An identifier found in a text.

    `identifier` is its place in the request's list, `how` a stable code.
    """

    identifier: int
    field: str
    certainty: Certainty
    how: str


class Matcher:
    """Finds the identifiers of one request in texts."""

    def __init__(self, identifiers: Sequence[str]) -> None:
        self._wanted = [" ".join(each.casefold().split()) for each in identifiers]

    def match(self, field: str, text: str, readings: Sequence[str] = ()) -> list[Match]:
        """Return the surest match of each identifier in a text or in another reading of it."""
        texts = [" ".join(each.casefold().split()) for each in (text, *readings)]
        return [
            Match(identifier=place, field=field, certainty="named", how="whole")
            for place, wanted in enumerate(self._wanted)
            if any(wanted in each for each in texts)
        ]
