"""Which of a request's identifiers a text has, how, and how surely.

| certainty | the text has |
| --- | --- |
| `named` | all words of the name together, in any order; the address or id as a whole |
| `likely` | the name with a middle name, an initial, a digraph, a small misspelling, in another script, or with its words apart; a name of a single word, but for a field that names people; the address with a tag |
| `possible` | the surname, or another part of the name |

`how` is a stable code: `whole`, `reordered`, `address`, `id` for `named`; `middle-name`, `initial`,
`particle`, `double-name`, `shortened`, `digraph`, `transliteration`, `joined`, `inflected`,
`misspelling`, `beginning`, `words-apart`, `within`, `single-word`, `address-tag`,
`address-respelt`, `id-respelt` for `likely`; `surname`, `part` for `possible`.
"""  # noqa: E501 - a table

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shared.metadata.naming_fields import names_people
from shared.rows import Stored
from shared.subjects.addresses import Addresses, Ids
from shared.subjects.folding import ASCII_WORD, WORD, Likeness, clean, spell
from shared.subjects.identifiers import IdToken, MailAddress, PersonName, read_identifiers
from shared.subjects.index import NameIndex, WordPart
from shared.subjects.name_likeness import (
    CERTAINTIES,
    SINGLE_WORD,
    Certainty,
    Judgement,
    better,
    is_single_word,
    judge,
)
from shared.subjects.placing import Gap, Hit, PlacedWord, gap
from shared.subjects.unspaced import UnspacedNames

__all__ = ["CERTAINTIES", "Certainty", "Match", "Matcher"]

_PIECE: Final = 8_000
_OVERLAP: Final = 400
"""Characters of a text that are compared at a time, and that two pieces have in common."""
_REMEMBERED: Final = 20_000
_LONGEST_WORD: Final = 300
_LONGEST_REMEMBERED: Final = 60
_MOST_JOINED: Final = 5
_TWICE_ENCODED: Final = re.compile("[\u00c2-\u00ef][\u0080-\u00bf\u0152-\u2122]")
# By-lines are cut at 32 bytes: IPTC Information Interchange Model 4.2, dataset 2:80.
_CUT: Final = range(30, 33)


class Match(Stored, frozen=True):
    """An identifier found in a text.

    `identifier` is the place in the request's list, from 0 on; `how` is a stable code.
    """

    identifier: int
    field: str
    certainty: Certainty
    how: str


class Matcher:
    """Finds the identifiers of one request in texts; may be used for any number of texts."""

    def __init__(self, identifiers: Sequence[str]) -> None:
        """Take the identifiers of a request. Raises InvalidInputError as `read_identifiers`."""
        read = read_identifiers(identifiers)
        names = [each for each in read if isinstance(each, PersonName)]
        self._addresses = Addresses([each for each in read if isinstance(each, MailAddress)])
        self._ids = Ids([each for each in read if isinstance(each, IdToken)])
        self._unspaced = UnspacedNames(names)
        self._index = NameIndex(names)

    def match(self, field: str, text: str, readings: Sequence[str] = ()) -> list[Match]:
        """Return the surest match of each identifier in a text, or in another reading of the text.

        `possible` matches are among them. The cost grows with the text's length and hardly with the
        number of identifiers.
        """
        best = dict[int, Judgement]()
        for each in dict.fromkeys((text, *readings, *_decoded_again(text))):
            for piece in _pieces(each):
                for identifier, verdict in self._search(clean(piece), field, whole=piece is each):
                    best[identifier] = better(best.get(identifier), verdict) or verdict
        return [
            Match(identifier=identifier, field=field, certainty=certainty, how=how)
            for identifier, (certainty, how) in sorted(best.items())
        ]

    def _search(self, text: str, field: str, *, whole: bool) -> Iterator[tuple[int, Judgement]]:
        yield from self._addresses.find(text)
        yield from self._ids.find(text)
        yield from self._unspaced.find(text)
        if self._index.names:
            # "_" is a letter to regular expressions, and a space to people.
            text = text.replace("_", "\x1f")
            word = ASCII_WORD if text.isascii() else WORD
            if any(map(self._index.parts, word.findall(text))):
                yield from self._judge(text, field, whole=whole)

    def _judge(self, text: str, field: str, *, whole: bool) -> Iterator[tuple[int, Judgement]]:
        words, hits = self._place(text)
        if whole and words and _is_cut(text.rstrip("\ufffd")):
            self._complete(words, hits)
        for number, places in hits.items():
            self._rejoin(number, words, places)
            name = self._index.names[number]
            verdict = judge(name, self._index.plains[number], words, places)
            if verdict and verdict[0] == "named" and is_single_word(name):
                verdict = verdict if names_people(field) else ("likely", SINGLE_WORD)
            if verdict:
                yield name.identifier, verdict

    def _place(self, text: str) -> tuple[list[PlacedWord], dict[int, dict[int, list[Hit]]]]:
        """Return the words of a text, and the hits of each name by the word's place."""
        words, end = list[PlacedWord](), 0
        hits = dict[int, dict[int, list[Hit]]]()
        for found in WORD.finditer(text):
            between = text[end : found.start()]
            stop = text.startswith(".", found.end())
            raw = found.group()
            parts = self._index.parts(raw) or (WordPart(raw, spell(raw)[0].plain, ()),)
            for part in parts:
                close = gap(between, words[-1].raw) if words else Gap.WIDE
                for name, hit in part.hits:
                    hits.setdefault(name, {}).setdefault(len(words), []).append(hit)
                words.append(PlacedWord(part.raw, part.plain, between, close, stop))
                between = ""
            end = found.end()
        return words, hits

    def _rejoin(self, number: int, words: Sequence[PlacedWord], hits: dict[int, list[Hit]]) -> None:
        """Find words of a name that the text writes as two or three words, near other hits."""
        near = {at + step for at in hits for step in range(-3, 3) if 0 <= at + step < len(words)}
        for first in near:
            joined = words[first].plain
            for last in range(first + 1, min(first + 3, len(words))):
                if words[last].gap != Gap.CLOSE:
                    break
                joined += words[last].plain
                for piece in self._index.joined(number, joined):
                    spoken = piece.likeness == Likeness.SOUND
                    likeness = Likeness.SOUND if spoken else Likeness.JOINED
                    hit = Hit(piece.first, piece.last, likeness, 0, last - first + 1)
                    hits.setdefault(first, []).append(hit)

    def _complete(self, words: Sequence[PlacedWord], hits: dict[int, dict[int, list[Hit]]]) -> None:
        """Take the last word of a text that was cut as the beginning of words of names."""
        last, cut = len(words) - 1, words[-1].plain
        for number in list(hits):
            for at, plain in enumerate(self._index.plains[number]):
                if plain != cut and plain.startswith(cut):
                    others = hits[number].get(last, [])
                    exact = [hit for hit in others if hit.likeness < Likeness.INFLECTED]
                    hits[number][last] = [*exact, Hit(at, at + 1, Likeness.BEGINNING)]


def _is_cut(text: str) -> bool:
    """Tell whether a text is as long as a By-line may be, in UTF-8 or in letters of one byte."""
    return len(text) in _CUT or len(text.encode("utf-8", "replace")) in _CUT


def _decoded_again(text: str) -> Iterator[str]:
    """Read UTF-8 that a program took for Western European text: "MÃ¼ller"."""
    if not text.isascii() and _TWICE_ENCODED.search(text):
        with contextlib.suppress(UnicodeError):
            yield bytes(map(_byte, text)).decode()


def _byte(letter: str) -> int:
    """Return the byte that a program took for a letter. Raises UnicodeError for other letters."""
    return ord(letter) if ord(letter) < 256 else letter.encode("cp1252")[0]


def _pieces(text: str) -> Iterable[str]:
    """Cut a long text into pieces that overlap, so that a long text costs little memory."""
    if len(text) <= _PIECE:
        return (text,)
    return (
        text[start : start + _PIECE] for start in range(0, len(text) - _OVERLAP, _PIECE - _OVERLAP)
    )
