"""How surely the words found in a text are a person's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.subjects.folding import Likeness
from shared.subjects.identifiers import PersonName
from shared.subjects.letters import UNSPACED, script
from shared.subjects.placing import FoundWords, Gap, Hit, PlacedWord, gather, take_initials
from shared.subjects.vocabulary import JOINERS, PARTICLES, TITLES

type Certainty = Literal["named", "likely", "possible"]
CERTAINTIES: Final[tuple[Certainty, ...]] = ("named", "likely", "possible")
"""The certainties, the surest first."""
type Judgement = tuple[Certainty, str]

_RANKS: Final[Mapping[Certainty, int]] = {"named": 0, "likely": 1, "possible": 2}
SINGLE_WORD: Final = "single-word"
"""The code of a name of one word, which may be a part of another name, or a common word."""
# Words beside a name that belong to no name.
_NO_NAMES: Final = TITLES | JOINERS
_SHORTEST: Final = 6
"""The fewest letters of a name whose consonants alone are compared."""
_HOWS: Final = {
    Likeness.DIGRAPH: "digraph",
    Likeness.SOUND: "transliteration",
    Likeness.CONSONANTS: "transliteration",
    Likeness.JOINED: "joined",
    Likeness.INFLECTED: "inflected",
    Likeness.MISSPELT: "misspelling",
    Likeness.BEGINNING: "beginning",
    Likeness.INITIAL: "initial",
}


def better(one: Judgement | None, other: Judgement | None) -> Judgement | None:
    """Return the surer of two verdicts, the first of two of one certainty."""
    if one is None or other is None:
        return one or other
    return other if _RANKS[other[0]] < _RANKS[one[0]] else one


def judge(
    name: PersonName,
    plains: Sequence[str],
    text: Sequence[PlacedWord],
    hits: Mapping[int, Sequence[Hit]],
) -> Judgement | None:
    """Return the surest verdict on a name, given the hits of its words at places of a text.

    `plains` are the plain spellings of the name's words. A name of a single word that stands within
    a longer name is `single-word`.
    """
    best: Judgement | None = None
    places = sorted(hits)
    words = {word for found in hits.values() for hit in found for word in range(*hit[:2])}
    alone = len(words) == 1 < len(name.words)
    for place, following in zip(places, [*places[1:], -1], strict=True):
        if following == place + 1 and hits[place] == hits[following]:
            continue
        if alone and best and not _has_initial(text, place):
            continue
        found = gather(len(name.words), text, hits, place)
        take_initials(found, plains, text)
        best = better(best, _weigh(name, plains, text, found))
        if best and best[0] == "named":
            break
    return best


def _has_initial(text: Sequence[PlacedWord], place: int) -> bool:
    """Tell whether an initial stands beside a place."""
    return any(word.is_initial for word in text[max(0, place - 1) : place + 2])


def _weigh(
    name: PersonName, plains: Sequence[str], text: Sequence[PlacedWord], found: FoundWords
) -> Judgement | None:
    """Decide on the words found."""
    core = [at for at in range(len(plains)) if at not in name.particles]
    whole = [at for at in core if found.filled.get(at, Likeness.INITIAL) < Likeness.BEGINNING]
    if not whole:
        return None
    around = _look_around(text, found)
    missing = [at for at in core if at not in found.filled]
    worst = max(found.filled.values())
    if not _is_allowed(plains, found, around):
        return _part(plains, found, core, whole)
    short = (
        missing and not name.syllables and _is_shortened(core, missing, whole, text, found, around)
    )
    if (missing and not short) or found.filled.get(core[-1]) == Likeness.INITIAL:
        return _part(plains, found, core, whole)
    if short:
        return "likely", _HOWS[worst] if worst >= Likeness.BEGINNING else "shortened"
    if worst != Likeness.SAME:
        return "likely", _HOWS[worst]
    return _stands(name, text, found, around)


def _stands(
    name: PersonName, text: Sequence[PlacedWord], found: FoundWords, around: "_Around"
) -> Judgement:
    """Decide on a name whose words are all there, each spelt as in the name."""
    places = [found.places[at] for at in sorted(found.places)]
    lacks_particle = len(places) < len(name.words)
    if is_single_word(name) and not _stands_alone(text, found):
        return "likely", SINGLE_WORD
    apart = around.divided or around.words > 2 or not _is_comma_fit(text, found, name)
    for reason, how in (
        (apart, "words-apart"),
        (len(around.further) == 1, "initial"),
        (around.words or around.further, "middle-name"),
        (around.initials, "initial"),
        (around.particles or lacks_particle, "particle"),
        (around.hyphened, "double-name"),
    ):
        if reason:
            return "likely", how
    return "named", "whole" if places == sorted(places) else "reordered"


def is_single_word(name: PersonName) -> bool:
    """Tell whether a name has one word, in a script in which a full name has several."""
    words = [word for at, word in enumerate(name.words) if at not in name.particles]
    return len(words) == 1 and script(words[0][0]) not in UNSPACED


def _stands_alone(text: Sequence[PlacedWord], found: FoundWords) -> bool:
    """Tell whether no further word of a name stands beside the words found."""
    first, last = min(found.used), max(found.used)
    beside = []
    if first > 0 and text[first].gap == Gap.CLOSE:
        beside.append(text[first - 1])
    if last + 1 < len(text) and text[last + 1].gap == Gap.CLOSE:
        beside.append(text[last + 1])
    return all(word.plain in _NO_NAMES for word in beside)


@dataclass(frozen=True, slots=True)
class _Around:
    """What else stands between the words found, and beside them."""

    divided: bool
    words: int
    initials: int
    particles: int
    hyphened: bool
    further: str


def _look_around(text: Sequence[PlacedWord], found: FoundWords) -> _Around:
    first, last = min(found.used), max(found.used)
    others = [text[at] for at in range(first, last + 1) if at not in found.used]
    others = [word for word in others if word.plain not in TITLES]
    joined = any(word.plain in JOINERS and not word.is_capital for word in others)
    numbers = any(word.plain.isdigit() for word in others)
    divided = (
        joined or numbers or any(text[at].gap == Gap.WIDE for at in range(first + 1, last + 1))
    )
    initials = sum(len(word.plain) == 1 and word.plain.isalpha() for word in others)
    particles = sum(len(word.plain) > 1 and word.plain in PARTICLES for word in others)
    spaced = any(" " in text[at].between for at in range(first + 1, last + 1))
    before = first > 0 and text[first].between in _HYPHENS and text[first - 1].is_capital
    behind = (
        last + 1 < len(text) and text[last + 1].between in _HYPHENS and text[last + 1].is_capital
    )
    words = len(others) - initials - particles
    comma = any(text[at].gap == Gap.COMMA for at in range(first + 1, last + 1))
    further = _given(text, last + 1) if comma else ""
    return _Around(divided, words, initials, particles, spaced and (before or behind), further)


def _given(text: Sequence[PlacedWord], at: int) -> str:
    """Return a further given name behind "Surname, First name"; "" for none."""
    if at == len(text) or text[at].gap != Gap.CLOSE or not text[at].is_capital:
        return ""
    return "" if text[at].plain in TITLES | JOINERS else text[at].plain


_HYPHENS: Final = frozenset("-\u2010\u2011\u2012\u2013")


def _is_allowed(plains: Sequence[str], found: FoundWords, around: _Around) -> bool:
    """Tell whether inexact words stand close enough, and are few enough."""
    likenesses = set(found.filled.values())
    worst = max(likenesses)
    inexact = worst >= Likeness.INFLECTED or Likeness.CONSONANTS in likenesses
    if inexact and (around.divided or around.words > 1):
        return False
    if Likeness.CONSONANTS in likenesses:
        return worst <= Likeness.JOINED and len(plains) > 1 and sum(map(len, plains)) >= _SHORTEST
    if found.edits:
        if worst > Likeness.MISSPELT or {Likeness.SOUND, Likeness.MISSPELT} <= likenesses:
            return False
        letters = sum(map(len, plains))
        if found.edits > (1 if letters < 10 else 2 if letters < 18 else 3):
            return False
    return True


def _is_shortened(
    core: Sequence[int],
    missing: Sequence[int],
    whole: Sequence[int],
    text: Sequence[PlacedWord],
    found: FoundWords,
    around: _Around,
) -> bool:
    """Tell whether a name of three words or more stands there in short."""
    there = len(core) - len(missing)
    if len(core) < 3 or there < 2 or around.divided or around.words > 1:
        return False
    if core[-1] in whole:
        return True
    if core[0] not in whole or len(whole) < 2:
        return False
    # The surname is missing: another surname must not stand in its place.
    last = max(found.used)
    following = text[last + 1] if last + 1 < len(text) else None
    return following is None or following.gap != Gap.CLOSE or not following.is_capital


def _is_comma_fit(text: Sequence[PlacedWord], found: FoundWords, name: PersonName) -> bool:
    """Tell whether commas within the name are those of "Surname, First name"."""
    first, last = min(found.used), max(found.used)
    commas = [at for at in range(first + 1, last + 1) if text[at].gap == Gap.COMMA]
    if not commas:
        return True
    before = {word for word, place in found.places.items() if place < commas[0]}
    opens = first == 0 or text[first].gap == Gap.WIDE or text[first - 1].plain in TITLES
    behind = text[last + 1] if last + 1 < len(text) else None
    if len(commas) > 1 or not opens:
        return False
    if before == set(range(len(name.words) - len(before), len(name.words))):
        return True
    alone = first == 0 or text[first].gap == Gap.WIDE
    ends = behind is None or behind.gap == Gap.WIDE
    return alone and ends and len(found.used) == last + 1 - first


def _part(
    plains: Sequence[str], found: FoundWords, core: Sequence[int], whole: Sequence[int]
) -> Judgement | None:
    """Decide on a part of a name."""
    exact = [at for at in whole if found.filled[at] <= Likeness.DIGRAPH and len(plains[at]) > 1]
    if not exact:
        return None
    return "possible", "surname" if core[-1] in exact and len(core) > 1 else "part"
