"""The identifiers of a request: checked, and taken apart into names, addresses and ids."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import InvalidInputError
from shared.subjects.folding import WORD, clean, spell
from shared.subjects.letters import UNSPACED, script
from shared.subjects.vocabulary import ALIASES, HONORIFICS, MAIDEN, PARTICLES, SUFFIXES

MOST_IDENTIFIERS: Final = 200
LONGEST_IDENTIFIER: Final = 500
MOST_WORDS: Final = 16
LONGEST_WORD: Final = 80
LONGEST_UNSPACED: Final = 24
"""Limits on a request's identifiers; the two last count characters and words of one identifier."""

_ADDRESS: Final = re.compile(r"[^\s@<>()\[\]\",;:]+@[^\s@<>()\[\]\",;:]*[^\s@<>()\[\]\",;:.]")
_BRACKETS: Final = re.compile(r"\s*[(\[{]([^()\[\]{}]*)[)\]}]?\s*")
_QUOTES: Final = '"\u201c\u201d\u201e\u00ab\u00bb'
_QUOTED: Final = re.compile(rf"[{_QUOTES}]+([^{_QUOTES}]+)[{_QUOTES}]+|(?<!\S)'([^']+)'(?!\S)")
_STYLES: Final = HONORIFICS | SUFFIXES
_MAIDEN: Final = re.compile(MAIDEN)
_ALIASES: Final = re.compile(ALIASES)


@dataclass(frozen=True)
class PersonName:
    """A name as a sequence of words, given names first.

    `particles` are the places of particles. `syllables` tells that the words are the syllables of a
    Chinese, Japanese or Korean name, which count together alone.
    """

    identifier: int
    words: tuple[str, ...]
    particles: frozenset[int] = frozenset()
    syllables: bool = False


@dataclass(frozen=True)
class MailAddress:
    """An e-mail address."""

    identifier: int
    text: str


@dataclass(frozen=True)
class IdToken:
    """An id: letters and digits, found as a whole."""

    identifier: int
    text: str


type SubjectIdentifier = PersonName | MailAddress | IdToken


def read_identifiers(identifiers: Sequence[str]) -> list[SubjectIdentifier]:
    """Take a request's identifiers apart; an identifier may have several names and an address.

    Raises InvalidInputError with the code `identifier-missing`, `too-many-identifiers`,
    `identifier-too-long`, `identifier-unreadable`, `identifier-empty` or `identifier-too-short`.
    """
    if not identifiers:
        raise InvalidInputError(
            "identifier-missing",
            "The request has no identifier.",
            "Send a name, an e-mail address or an id of the person.",
        )
    if len(identifiers) > MOST_IDENTIFIERS:
        raise InvalidInputError(
            "too-many-identifiers",
            f"The request has {len(identifiers)} identifiers.",
            f"Send at most {MOST_IDENTIFIERS} identifiers in one request.",
        )
    return [each for place, text in enumerate(identifiers) for each in _read(place, text)]


def _read(place: int, text: str) -> list[SubjectIdentifier]:
    _check(place, text)
    cleaned = clean(text)
    rest, found = cleaned, list[SubjectIdentifier]()
    for address in _ADDRESS.findall(cleaned):
        if "." in address.partition("@")[2]:
            found.append(MailAddress(place, address.removeprefix("mailto:")))
            rest = rest.replace(address, " ")
    rest = re.sub(r"\bmailto:|[<>]", " ", rest)
    if not _words(rest):
        return found or _refuse_empty(place)
    if _is_id(rest) and sum(map(str.isalnum, rest)) > 1:
        return [*found, IdToken(place, rest)]
    rest = rest.replace("_", " ")
    rest = rest.lower() if rest.isupper() else rest
    names = [PersonName(place, *words) for words in dict.fromkeys(_names(rest))]
    if not found and all(map(_is_short, names)):
        raise InvalidInputError(
            "identifier-too-short",
            f"Identifier {place + 1} has single letters alone.",
            "Send a name with at least one word of two letters.",
        )
    if any(_is_long(name) for name in names):
        raise InvalidInputError(
            "identifier-too-long",
            f"Identifier {place + 1} has more than {MOST_WORDS} words, or a word of more than "
            f"{LONGEST_WORD} letters, {LONGEST_UNSPACED} in a script without spaces.",
            "Send the name alone, and further names as further identifiers.",
        )
    return [*found, *names]


def _is_long(name: PersonName) -> bool:
    """Tell whether a name is longer than any person's; the cost of a name grows with its length."""
    return len(name.words) > MOST_WORDS or any(map(_is_long_word, name.words))


def _is_long_word(word: str) -> bool:
    return len(word) > (LONGEST_UNSPACED if script(word[0]) in UNSPACED else LONGEST_WORD)


def _check(place: int, text: str) -> None:
    """Refuse an identifier that is too long or not text."""
    if len(text) > LONGEST_IDENTIFIER:
        raise InvalidInputError(
            "identifier-too-long",
            f"Identifier {place + 1} has {len(text)} characters.",
            f"Send at most {LONGEST_IDENTIFIER} characters: the name alone, and further names as "
            "further identifiers.",
        )
    if any(unicodedata.category(letter) == "Cs" for letter in text):
        raise InvalidInputError(
            "identifier-unreadable",
            f"Identifier {place + 1} has half of a character (a lone surrogate).",
            "Send the identifier in UTF-8, as the person writes it.",
        )


def _refuse_empty(place: int) -> list[SubjectIdentifier]:
    raise InvalidInputError(
        "identifier-empty",
        f"Identifier {place + 1} has no letter and no digit.",
        "Send a name, an e-mail address or an id of the person.",
    )


def _is_id(text: str) -> bool:
    """Tell an id from a name: an id has a digit, and at most one word of letters alone."""
    words = _words(text)
    letters = [word for word in words if word.replace("'", "").isalpha() and len(word) > 1]
    return any(letter.isdigit() for letter in text) and len(letters) < 2


def _is_short(name: PersonName) -> bool:
    """Tell whether a name has single letters alone; a letter of Chinese or Korean is a syllable."""
    single = all(len(word) == 1 for word in name.words)
    return single and (len(name.words) == 1 or any(map(str.isascii, name.words)))


def _names(text: str) -> Iterator[tuple[tuple[str, ...], frozenset[int]]]:
    """Take apart all that one identifier says of a person's names."""
    for alias in _ALIASES.split(text):
        for whole, *others in _with_others(alias):
            words = _in_order(whole)
            yield from _name(words)
            for other in others:
                given, further = words[: _surname(words)], _in_order(other)
                yield from _name([*given, *further])
                if len(further) > 1:
                    yield from _name(further)


def _with_others(text: str) -> Iterator[tuple[str, ...]]:
    """Split nicknames, names in brackets and former names from a name."""
    married, *former = _MAIDEN.split(text)
    bare = _BRACKETS.sub(" ", _QUOTED.sub(" ", married))
    bracketed = [found for found in _BRACKETS.finditer(married) if _words(found.group(1))]
    if not _words(bare):
        bare, bracketed = married, []
    inner = [found for found in bracketed if _words(married[found.end() :])]
    last = [found.group(1) for found in bracketed if found not in inner]
    yield (bare, *last, *(_BRACKETS.sub(" ", each) for each in former))
    nicknames = [found.group(1) or found.group(2) for found in _QUOTED.finditer(married)]
    for nickname in (*nicknames, *(found.group(1) for found in inner)):
        words = _in_order(bare)
        yield (" ".join([nickname, *words[_surname(words) :]]),)


def _in_order(text: str) -> list[str]:
    """Return the words of a name, the given names first: "Hahn, Dr. Nora" is "Nora Hahn"."""
    parts = [_words(part) for part in re.split("[,\u3001\u060c]", text)]
    parts = [part for part in parts if not all(_plain(word) in _STYLES for word in part)]
    if len(parts) == 2:
        parts.reverse()
    words = [word for part in parts for word in _without_honorifics(part)]
    while len(words) > 2 and _plain(words[-1]) in SUFFIXES:
        words.pop()
    return words or _words(text)


def _without_honorifics(words: Sequence[str]) -> Sequence[str]:
    first = 0
    while first < len(words) - 1 and _plain(words[first]) in HONORIFICS:
        first += 1
    return words[first:]


def _surname(words: Sequence[str]) -> int:
    """Return the place of the first word of the surname: the last word with its particles."""
    first = len(words) - 1
    while first > 1 and _plain(words[first - 1]) in PARTICLES:
        first -= 1
    return max(first, 0)


def _name(words: Sequence[str]) -> Iterator[tuple[tuple[str, ...], frozenset[int]]]:
    """Make a name of the words, and a second name of words in Chinese, Korean or Thai letters."""
    for unspaced in (False, True):
        some = tuple(word for word in words if (script(word[0]) in UNSPACED) == unspaced)
        inner = range(1, len(some) - 1)
        if some:
            yield some, frozenset(at for at in inner if _plain(some[at]) in PARTICLES)


def _words(text: str) -> list[str]:
    return [word for word in WORD.findall(text.replace("_", " ")) if _plain(word)]


def _plain(word: str) -> str:
    return spell(word)[0].plain
