"""One spelling for the many spellings of a word.

`clean` prepares a text, `WORD` finds the text's words, and `spell` returns the spellings by which a
word is compared. Two words with one `plain` spelling are written alike but for case, accents,
vowel signs, ligatures, width, apostrophes and letters that look alike.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from html import unescape
from typing import Final
from urllib.parse import unquote

from anyascii import anyascii

from shared.subjects.letters import (
    ABJADS,
    KOREAN,
    NASALS,
    PERSIAN,
    TWINS,
    UNIFIED,
    as_spoken,
    consonants,
    look_alike,
    script,
    sound_key,
    stems,
)


class Likeness(IntEnum):
    """How far a word of a text is from a word of a name; a higher number is further."""

    SAME = 0
    DIGRAPH = 1
    """An accented letter written as two letters: "ue" for "ü"."""
    SOUND = 2
    """The same word in another script, or another word of the same sound."""
    CONSONANTS = 3
    """A word in a script that leaves vowels out, with the same consonants."""
    JOINED = 4
    """Two words written as one, or one as two."""
    INFLECTED = 5
    """A name with the ending of a case."""
    MISSPELT = 6
    BEGINNING = 7
    """The beginning of a word at the end of a text that was cut."""
    INITIAL = 8


@dataclass(frozen=True, slots=True)
class Spelling:
    """The spellings of one word. `others` are further keys, each with its likeness to the word."""

    plain: str
    script: str
    others: tuple[tuple[str, Likeness], ...] = ()


# Combining marks, which `\w` leaves out, and the character for an unreadable byte.
_MARKS: Final = (
    r"\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    r"\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0"
    r"\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u09cd\u09d7\u0a01-\u0acd"
    r"\u0b01-\u0b57\u0b82-\u0bd7\u0c00-\u0c56\u0c81-\u0cd6\u0d00-\u0d57\u0d81-\u0df3\u0e31-\u0e3a"
    r"\u0e47-\u0e4e\u0eb1-\u0ebc\u0ec8-\u0ece\u0f18-\u0f39\u0f71-\u0fbc\u102b-\u103e\u1056-\u109d"
    r"\u135d-\u135f\u1712-\u1734\u17b4-\u17d3\u1a55-\u1aff\u1b00-\u1b44\u1dc0-\u1dff\u20d0-\u20f0"
    r"\u3099\u309a\ua802-\ua8c5\uabe3-\uabed\ufe20-\ufe2f\ufffd"
)
WORD: Final = re.compile(rf"[\w{_MARKS}]+(?:'[\w{_MARKS}]+)*")
"""A word in a cleaned text: letters, marks and digits, with apostrophes within."""
ASCII_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
"""`WORD` for a text in ASCII."""

# A hundred accents on a letter are no name, and composing them takes time that grows as the square.
_FLOOD: Final = re.compile(r"([^\w\s\x00-\x7f]{40})[^\w\s\x00-\x7f]+")
# A spacing accent in compatibility form is a space with the accent.
_APOSTROPHES: Final = re.compile(
    "[`\u00b4\u02b9\u02bb-\u02be\u02c8\u05f3\u2018\u2019\u201b\u2032\uff07]| [\u0300\u0301]"
)
# Characters without a shape: soft hyphens, joiners, marks of direction, selectors of variants, the
# Arabic stroke that widens a word, fillers.
_SHAPELESS: Final = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u0640\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_ESCAPED: Final = re.compile("%[0-9A-Fa-f]{2}")
_LOST_LETTER: Final = re.compile(r"(?<=[^\W\d_])\?{1,2}(?=[a-z])")


def clean(text: str) -> str:
    """Return a text in compatibility composition (NFKC), without characters that have no shape.

    Apostrophes become "'", "%20" of an address a space, "&uuml;" of HTML the letter, and "?" that a
    program left for a letter U+FFFD.
    """
    if "%" in text and _ESCAPED.search(text):
        text = unquote(text)
    if "&" in text and ";" in text:
        text = unescape(text)
    if "?" in text:
        text = _LOST_LETTER.sub("\ufffd", text)
    if text.isascii():
        return text.replace("`", "'") if "`" in text else text
    # Catalan writes a long "l" with a point: "Gal·la".
    text = text.replace("l\u00b7l", "ll").replace("L\u00b7L", "LL")
    text = _FLOOD.sub(r"\1", _SURROGATES.sub("\ufffd", text))
    return _SHAPELESS.sub("", unicodedata.normalize("NFKC", _APOSTROPHES.sub("'", text)))


def spell(word: str) -> tuple[Spelling, ...]:
    """Return the spellings of a word of a cleaned text: several where letters look alike.

    A word of Latin letters with a Cyrillic "а" is read as Latin, a Cyrillic word with a Latin
    "a" as Cyrillic.
    """
    bare = word.replace("'", "")
    if bare.isascii():
        plain = bare.lower()
        return (Spelling(plain, "latin"),)
    scripts = {script(letter) for letter in bare if letter.isalpha()}
    mixed = [
        twin
        # Capitals, small letters and letters without their accents have twins of their own.
        for form in dict.fromkeys((bare, bare.casefold(), _without_accents(bare.casefold())))
        for other in sorted(scripts)
        if len(scripts) > 1 and (twin := look_alike(form, other))
    ]
    read = tuple(dict.fromkeys(map(_spell, mixed))) or (_spell(bare),)
    twin = look_alike(bare, "latin") if scripts <= TWINS else None
    if twin is None or len(twin) < 3:
        return read
    return (*read, Spelling("", "latin", ((twin.lower(), Likeness.SOUND),)))


def _spell(word: str) -> Spelling:
    composed = unicodedata.normalize("NFC", word.casefold())
    letter = next(filter(str.isalpha, composed), "a")
    if script(letter) == "latin":
        plain = _ascii(_without_accents(composed))
        variants = {"".join(parts) for parts in _respelt(composed)} - {plain}
        others = [(variant, Likeness.DIGRAPH) for variant in sorted(variants)]
        return Spelling(plain, "latin", tuple(others))
    plain = unicodedata.normalize("NFC", _without_accents(composed).translate(UNIFIED))
    plain = NASALS.sub("ं", plain)
    others = [(sound_key(_ascii(composed)), Likeness.SOUND)]
    if script(letter) == "greek":
        others.append((sound_key(_ascii(as_spoken(_without_accents(composed)))), Likeness.SOUND))
    if script(letter) in ABJADS:
        bare = composed.replace("ة", "")
        for heard in dict.fromkeys((bare, bare.translate(PERSIAN))):
            others.append((consonants(_ascii(heard)), Likeness.CONSONANTS))
    if script(letter) == "hangul" and (surname := KOREAN.get(_ascii(composed[0]))):
        others.append((sound_key(surname + _ascii(composed[1:])), Likeness.SOUND))
    if script(letter) == "cyrillic":
        others += ((stem, Likeness.INFLECTED) for stem in stems(plain))
    return Spelling(plain, script(letter), tuple(other for other in others if len(other[0]) > 1))


def _ascii(word: str) -> str:
    """Return the letters and digits of a word in ASCII."""
    return "".join(filter(str.isalnum, anyascii(word).lower()))


def _without_accents(word: str) -> str:
    """Remove accents, and the vowel signs of Arabic, Hebrew and Syriac.

    The classes are those of The Unicode Standard, section 4.3: accents around a letter from 200 on,
    vowel signs from 10 to 36. Other marks are parts of a letter: the Japanese voicing mark, the
    vowels of India and Thailand.
    """
    return "".join(
        letter
        for letter in unicodedata.normalize("NFD", word)
        if not ((mark := unicodedata.combining(letter)) and (mark >= 200 or 10 <= mark <= 36))
    )


# The letters that people and machines write instead of a letter with an accent.
_DIGRAPHS: Final = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ø": "oe",
    "å": "aa",
    "ð": "dh",
    "đ": "dj",
    "ə": "a",
    "ç": "ch",
    "č": "ch",
    "ć": "ch",
    "š": "sh",
    "ş": "sh",
    "ž": "zh",
    "ğ": "gh",
    "ñ": "nh",
}
_MOST_DIGRAPHS: Final = 4


def _respelt(composed: str) -> Iterable[tuple[str, ...]]:
    """Make the spellings of a Latin word with each accented letter as one letter or as two."""
    few = sum(letter in _DIGRAPHS for letter in composed) <= _MOST_DIGRAPHS
    choices = []
    for letter in composed:
        one, two = _ascii(_without_accents(letter)), _DIGRAPHS.get(letter)
        choices.append((one,) if two is None else (one, two) if few else (two,))
    return itertools.product(*choices)
