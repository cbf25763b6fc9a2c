"""The words of a text in their places, and the words of a name found among them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from shared.subjects.folding import Likeness
from shared.subjects.vocabulary import TITLES

_FARTHEST: Final = 8
"""The most words between two words of a name."""


class Gap(IntEnum):
    """What stands in front of a word: nothing that divides, a comma, or a mark that divides."""

    CLOSE = 0
    COMMA = 1
    WIDE = 2


class Hit(NamedTuple):
    """Words of a name, from `first` to before `last`, found in `width` words of a text."""

    first: int
    last: int
    likeness: Likeness
    edits: int = 0
    width: int = 1


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word of a text in its place. `between` is the text from the word before to this word."""

    raw: str
    plain: str
    between: str
    gap: Gap
    stop: bool

    @property
    def is_initial(self) -> bool:
        """Tell whether the word may stand for longer words: "N", "JRR", "Chr."."""
        return self.plain.isalpha() and (
            len(self.plain) == 1
            or (len(self.plain) < 4 and self.raw.isupper())
            or (len(self.plain) < 5 and self.stop)
        )

    @property
    def is_capital(self) -> bool:
        """Tell whether the word begins as names begin."""
        return self.raw[:1].isupper()


# A space, a line's end, a mark that names and file names have within, or quotes around a nickname.
_CLOSE: Final = re.compile(
    r"[^\S\n]*\n?[^\S\n]*|-\n|[-\x1f'~+\u058a\u05be\u2010-\u2013\u2212]|\.[ ]*"
    r"|[ ]?[\u00b7\u30fb\u2022\u0f0b][ ]?|[ ]?['\"\u201c\u201d\u201e\u00ab\u00bb]+[ ]?"
)


def gap(between: str, before: str) -> Gap:
    """Return the gap that a text between two words makes; `before` is the first of the words."""
    if _CLOSE.fullmatch(between):
        ends = between.startswith(".") and between != "." and len(before) > 3
        return Gap.WIDE if ends and before.lower() not in TITLES else Gap.CLOSE
    # Marks of a script that `WORD` does not know are parts of a word.
    if between and all(unicodedata.category(letter).startswith("M") for letter in between):
        return Gap.CLOSE
    return Gap.COMMA if between.strip() in {",", "\u060c", ".,"} else Gap.WIDE


@dataclass(slots=True)
class FoundWords:
    """The words of a name found in one stretch of a text.

    `filled` has the likeness of each word of the name, `places` the place of each word in the text.
    """

    filled: dict[int, Likeness] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    edits: int = 0
    misspelt: list[int] = field(default_factory=list)

    def take(self, hit: Hit, place: int) -> None:
        for word in range(hit.first, hit.last):
            self.filled[word] = hit.likeness
            self.places[word] = place
        self.used.update(range(place, place + hit.width))
        self.edits += hit.edits
        if hit.edits:
            self.misspelt.append(place)


def gather(
    length: int, text: Sequence[PlacedWord], hits: Mapping[int, Sequence[Hit]], place: int
) -> FoundWords:
    """Fill the words of a name from a place of the text on."""
    found, gaps = FoundWords(), 0
    while place < len(text) and gaps <= _FARTHEST and len(found.filled) < length:
        free = [
            hit
            for hit in hits.get(place, ())
            if found.filled.keys().isdisjoint(range(hit.first, hit.last))
        ]
        if free:
            hit = min(
                free, key=lambda hit: (hit.likeness, hit.edits, hit.first - hit.last, hit.first)
            )
            found.take(hit, place)
            place, gaps = place + hit.width, 0
        else:
            gaps += text[place].plain not in TITLES
            place += 1
    return found


def _may_stand(text: Sequence[PlacedWord], place: int) -> bool:
    """Tell whether a word may stand for a name: a small letter between spaces is a word."""
    word = text[place]
    if word.raw.islower() and not word.stop:
        behind = text[place + 1].between if place + 1 < len(text) else " "
        return word.is_initial and not (word.between.isspace() or behind.isspace())
    return word.is_initial


def take_initials(found: FoundWords, plains: Sequence[str], text: Sequence[PlacedWord]) -> None:
    """Fill words of a name from initials within and around the words found."""
    if len(found.filled) == len(plains):
        return
    first, last = min(found.used), max(found.used)
    while first > 0 and text[first].gap == Gap.CLOSE and text[first - 1].is_initial:
        first -= 1
    while last + 1 < len(text) and text[last + 1].gap != Gap.WIDE and text[last + 1].is_initial:
        last += 1
    for place in range(first, last + 1):
        if place in found.used or not _may_stand(text, place):
            continue
        letters, free = text[place], [at for at in range(len(plains)) if at not in found.filled]
        if len(letters.plain) > 1 and letters.raw.isupper() and not letters.stop:
            if "".join(plains[at][0] for at in free[: len(letters.plain)]) == letters.plain:
                for at in free[: len(letters.plain)]:
                    found.take(Hit(at, at + 1, Likeness.INITIAL), place)
            continue
        for at in free:
            if plains[at].startswith(letters.plain):
                found.take(Hit(at, at + 1, Likeness.INITIAL), place)
                break
