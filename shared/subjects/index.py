"""The words of a request's names, to look up the words of texts in."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA

from shared.subjects.folding import Likeness, spell
from shared.subjects.identifiers import PersonName
from shared.subjects.letters import ABJADS, consonants, script, sound_key
from shared.subjects.placing import Hit
from shared.subjects.unspaced import romanised

_REMEMBERED: Final = 20_000
_LONGEST_REMEMBERED: Final = 60
_LONGEST_WORD: Final = 300
_MOST_JOINED: Final = 5
_LONG: Final = 9
"""The letters of words written as a single word from which on a misspelling is looked for."""
_LOST: Final = re.compile("\ufffd+")


class _Piece(NamedTuple):
    """Words of a name, under one spelling."""

    name: int
    first: int
    last: int
    likeness: Likeness
    script: str


class WordPart(NamedTuple):
    """A part of a word, "Nora" of "NoraHahn", with the names it hits."""

    raw: str
    plain: str
    hits: tuple[tuple[int, Hit], ...]


class NameIndex:
    """The words of names under all their spellings.

    `names` are the names, with the syllables of Chinese names as further names; `plains` are the
    plain spellings of each name's words.
    """

    def __init__(self, names: Sequence[PersonName]) -> None:
        """Take the names of a request."""
        self.names, self.plains = list[PersonName](), list[tuple[str, ...]]()
        self._index, self._near = dict[str, list[_Piece]](), dict[str, list[str]]()
        for name in names:
            self._add(name)
        scripts = {piece.script for pieces in self._index.values() for piece in pieces}
        self._foreign, self._abjad = scripts > {"latin"} or "latin" not in scripts, scripts & ABJADS
        self._remembered = lru_cache(_REMEMBERED)(self._take_apart)

    def _add(self, name: PersonName) -> None:
        """Put the words of a name into the index, under each of their spellings."""
        spelt = [spell(word)[0] for word in name.words]
        self._put(name, [each.plain for each in spelt])
        number = len(self.names) - 1
        for at, word in enumerate(name.words):
            for spelling in spell(word):
                keys = [(spelling.plain, Likeness.SAME), *spelling.others]
                if spelling.script == "latin" and spelling.plain:
                    keys.append((sound_key(spelling.plain), Likeness.SOUND))
                    keys.append((consonants(spelling.plain), Likeness.CONSONANTS))
                for key, likeness in keys:
                    self._key(key, _Piece(number, at, at + 1, likeness, spelling.script))
        self._join(number, [each.plain for each in spelt], spelt[0].script)
        if syllables := romanised(name):
            plains = [each[0] for each in syllables]
            self._put(PersonName(name.identifier, tuple(plains), syllables=True), plains)
            # Korean is compared with other scripts alone; Chinese names of one sound are many.
            kind = "hangul" if script(name.words[0][0]) == "hangul" else "romanised"
            for at, spellings in enumerate(syllables):
                for each in spellings:
                    piece = _Piece(number + 1, at, at + 1, Likeness.SOUND, kind)
                    self._key(sound_key(each), piece)
            for surname in syllables[0]:
                self._join(number + 1, [surname, *plains[1:]], kind)

    def _put(self, name: PersonName, plains: Sequence[str]) -> None:
        self.names.append(name)
        self.plains.append(tuple(plains))

    def _join(self, number: int, plains: Sequence[str], kind: str) -> None:
        """Put words that follow each other into the index as one word."""
        count = len(plains)
        for first in range(count):
            for last in range(first + 2, min(count, first + _MOST_JOINED) + 1):
                self._joined("".join(plains[first:last]), number, first, last, kind)
        if count > 1:
            self._joined("".join([plains[-1], *plains[:-1]]), number, 0, count, kind)
            self._joined("".join([*plains[1:], plains[0]]), number, 0, count, kind)

    def _joined(self, joined: str, number: int, first: int, last: int, kind: str) -> None:
        if len(joined) > 4 and kind != "romanised":
            self._key(joined, _Piece(number, first, last, Likeness.JOINED, kind))
        if len(joined) > 3 and kind in {"latin", "hangul", "romanised"}:
            self._key(sound_key(joined), _Piece(number, first, last, Likeness.SOUND, kind))
        if kind == "latin" and len(key := consonants(joined)) > 3:
            self._key(key, _Piece(number, first, last, Likeness.CONSONANTS, kind))
        if kind in ABJADS:
            for key, likeness in spell(joined)[0].others:
                if likeness == Likeness.CONSONANTS and len(key) > 3:
                    self._key(key, _Piece(number, first, last, likeness, kind))

    def _key(self, key: str, piece: _Piece) -> None:
        if not key:
            return
        single = piece.last == piece.first + 1 or piece.script == "hangul"
        single |= piece.likeness == Likeness.JOINED and len(key) >= _LONG
        if key not in self._index and single and key[0] not in "-^":
            for corner in _corners(key):
                self._near.setdefault(corner, []).append(key)
        pieces = self._index.setdefault(key, [])
        if piece not in pieces:
            pieces.append(piece)

    def parts(self, word: str) -> tuple[WordPart, ...] | None:
        """Return the parts of a word with the names that they hit; None where none hits a name."""
        if len(word) <= _LONGEST_REMEMBERED:
            return self._remembered(word)
        return self._take_apart(word) if len(word) <= _LONGEST_WORD else None

    def _take_apart(self, word: str) -> tuple[WordPart, ...] | None:
        whole = self._look_up(word)
        if any(hit.likeness == Likeness.SAME for _, hit in whole):
            return (WordPart(word, spell(word)[0].plain, whole),)
        split = _split(word)
        if len(split) > 1:
            parts = tuple(
                WordPart(each, spell(each)[0].plain, self._look_up(each)) for each in split
            )
            if any(part.hits for part in parts):
                return parts
        return (WordPart(word, spell(word)[0].plain, whole),) if whole else None

    def _look_up(self, word: str) -> tuple[tuple[int, Hit], ...]:
        """Return the words of names that a word hits, each with the nearest likeness."""
        found = dict[tuple[int, int, int], Hit]()
        owner = word[:-2] if word[-2:] in {"'s", "'S"} else ""
        for each in filter(None, (word, owner)):
            for spelling in spell(each):
                keys = [(spelling.plain, Likeness.SAME), *spelling.others]
                if spelling.script == "latin" and spelling.plain:
                    if self._foreign:
                        keys.append((sound_key(spelling.plain), Likeness.SOUND))
                    if self._abjad:
                        keys.append((consonants(spelling.plain), Likeness.CONSONANTS))
                for key, likeness in keys:
                    for near, edits in self._spelt_near(key, likeness):
                        for piece in self._index[near]:
                            if near[0] in "~^" and piece.script == spelling.script:
                                continue
                            hit = _hit(piece, near, edits, key, likeness)
                            place = (piece.name, piece.first, piece.last)
                            found[place] = min(found.get(place, hit), hit, key=_distance)
        if "\ufffd" in word:
            for piece in self._with_lost_letters(word):
                place = (piece.name, piece.first, piece.last)
                found.setdefault(place, Hit(piece.first, piece.last, Likeness.MISSPELT))
        return tuple((name, hit) for (name, _, _), hit in found.items())

    def _with_lost_letters(self, word: str) -> Iterator[_Piece]:
        """Find the words of names that a word may be whose unreadable letters are U+FFFD."""
        known = [spell(part)[0].plain for part in _LOST.split(word)]
        if sum(map(len, known)) > 1:
            pattern = re.compile("\\w{1,2}".join(map(re.escape, known)))
            for key, pieces in self._index.items():
                if pattern.fullmatch(key):
                    yield from pieces

    def _spelt_near(self, key: str, likeness: Likeness) -> Iterator[tuple[str, int]]:
        """Find the keys of the index that are a key or a small misspelling of a key."""
        if key in self._index:
            yield key, 0
        if likeness in {Likeness.SAME, Likeness.SOUND} and len(key) > 2:
            for near in {near for corner in _corners(key) for near in self._near.get(corner, ())}:
                most = _most_edits(near, key)
                edits = OSA.distance(key, near, score_cutoff=most)
                if 0 < edits <= most and (near[0] == "~") == (key[0] == "~"):
                    yield near, edits

    def joined(self, number: int, word: str) -> Iterator[_Piece]:
        """Find the words of one name that a text writes as several words, joined to `word`."""
        for piece in self._index.get(word, ()):
            if piece.name == number and piece.likeness <= Likeness.DIGRAPH:
                yield piece
        if self.names[number].syllables:
            for near, _ in self._spelt_near(sound_key(word), Likeness.SOUND):
                yield from (piece for piece in self._index[near] if piece.name == number)


def _hit(piece: _Piece, near: str, edits: int, key: str, likeness: Likeness) -> Hit:
    """Return the hit of a word's key on a key of the index."""
    likeness = max(likeness, piece.likeness)
    if edits and likeness != Likeness.SOUND:
        if len(key) == len(near) + 1 and key.startswith(near):
            return Hit(piece.first, piece.last, max(likeness, Likeness.INFLECTED))
        likeness = max(likeness, Likeness.MISSPELT)
    return Hit(piece.first, piece.last, likeness, edits)


def _distance(hit: Hit) -> tuple[int, int]:
    return hit.likeness, hit.edits


def _corners(key: str) -> tuple[str, ...]:
    """Return the ends of a word, of which a misspelling keeps one."""
    start = 1 if key[0] == "~" else 0
    corners = (f"{key[: start + 2]}*", f"*{key[-2:]}")
    return (*corners, f"{key[: start + 1]}*{key[-1]}") if len(key) < start + 7 else corners


def _most_edits(key: str, other: str) -> int:
    """Return how many letters of a word a small misspelling changes; sounds are rough already."""
    length = max(len(key), len(other)) - (2 if key[0] == "~" else 0)
    return 0 if length < 4 else 1 if length < 9 else 2


def _split(word: str) -> list[str]:
    """Split a word where small letters meet capitals, and letters meet digits: "NoraHahn2"."""
    if word.isalpha() and (word[1:].islower() or word.isupper()):
        return [word]
    parts, start = list[str](), 0
    for at in range(1, len(word)):
        one, other = word[at - 1], word[at]
        turns = one.islower() and other.isupper()
        digits = one.isdigit() != other.isdigit()
        ends = one.isupper() and other.isupper() and word[at + 1 : at + 2].islower()
        if turns or digits or ends:
            parts.append(word[start:at])
            start = at
    return [*parts, word[start:]]
