"""Letters: scripts, letters of one shape, letters that people exchange, sounds and endings."""

import re
from typing import Final


def script(letter: str) -> str:
    """Return the name of a letter's script; the block's number for a script without a rule here."""
    code = ord(letter)
    for first, last, name in _SCRIPTS:
        if first <= code <= last:
            return name
    return f"{code >> 8:x}"


_SCRIPTS: Final = (
    (0x0000, 0x036F, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0530, 0x058F, "armenian"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x077F, "arabic"),
    (0x0E01, 0x0E4E, "thai"),
    (0x0E81, 0x0ECE, "lao"),
    (0x1000, 0x104F, "burmese"),
    (0x1780, 0x17D3, "khmer"),
    (0x1D00, 0x1DBF, "latin"),
    (0x1E00, 0x1EFF, "latin"),
    (0x1F00, 0x1FFF, "greek"),
    (0x2C60, 0x2C7F, "latin"),
    (0x2DE0, 0x2DFF, "cyrillic"),
    (0x3005, 0x3007, "han"),
    (0x3041, 0x30FF, "kana"),
    (0x3400, 0x4DBF, "han"),
    (0x4E00, 0x9FFF, "han"),
    (0xA720, 0xA7FF, "latin"),
    (0xAC00, 0xD7A3, "hangul"),
    (0xF900, 0xFAFF, "han"),
    (0x20000, 0x323AF, "han"),
)
UNSPACED: Final = frozenset({"thai", "lao", "burmese", "khmer", "han", "kana", "hangul"})
"""Scripts that write without spaces, or with spaces at will."""
KOREAN: Final = {
    "gim": "kim",
    "i": "lee",
    "bag": "park",
    "choe": "choi",
    "jeong": "jung",
    "gang": "kang",
    "jo": "cho",
    "yun": "yoon",
    "im": "lim",
    "o": "oh",
    "u": "woo",
    "an": "ahn",
    "no": "roh",
}
"""Korean surnames in the official romanisation, and as people write the surnames."""
TWINS: Final = frozenset({"cyrillic", "greek"})

# Letters of one shape. Source: Unicode Technical Standard 39, confusables.txt.
_LATIN_OF: Final = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеѕіјкорсухԁһԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονικρυχ",
        "ABESIJKMHOPCTYXaesijkopcyxdhqwABEZHIKMNOPTYXaovikpux",
        strict=True,
    )
)


def look_alike(word: str, wanted: str) -> str | None:
    """Return a word in the letters of one script; None where a letter has no twin in the script."""
    letters = []
    for letter in word:
        if not letter.isalpha() or script(letter) == wanted:
            letters.append(letter)
            continue
        latin = letter if script(letter) == "latin" else _LATIN_OF.get(letter)
        twin = latin if wanted == "latin" else _OF_LATIN.get((wanted, latin))
        if twin is None:
            return None
        letters.append(twin)
    return "".join(letters)


_OF_LATIN: Final[dict[tuple[str, str | None], str]] = {
    (script(letter), latin): letter for letter, latin in reversed(_LATIN_OF.items())
}


# Letters that programs and keyboards exchange: forms of Arabic letters in Persian and Urdu, the
# Hindi signs of a nasal, the sign below borrowed letters.
UNIFIED: Final = str.maketrans(
    {
        "ٱ": "ا",
        "ى": "ي",
        "ی": "ي",
        "ے": "ي",
        "ک": "ك",
        "ة": "ه",
        "ہ": "ه",
        "ھ": "ه",
        "ە": "ه",
        "ँ": "ं",
        "़": None,
    }
    # Katakana as hiragana.
    | {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
)


PERSIAN: Final = str.maketrans("ذضظثصق", "زززسسغ")
"""Arabic letters by their sound in Persian and Urdu: "رضا" is Reza, and Rida in Arabic."""


def sound_key(plain: str) -> str:
    """Return the key of a word's sound, from the word's plain spelling in Latin letters."""
    for pattern, rough in _ROUGH:
        plain = plain.replace(pattern, rough)
    return "~" + _DOUBLES.sub(r"\1", _SILENT.sub("", plain))


# What the systems of transliteration write for one sound, in this order.
_ROUGH: Final = (
    ("schtsch", "x"),
    ("tsch", "q"), ("shch", "x"), ("tch", "q"), ("sch", "x"), ("cz", "q"), ("ch", "q"),
    ("sz", "x"), ("sh", "x"), ("kh", "h"), ("zh", "z"), ("ph", "f"), ("th", "t"), ("ck", "k"),
    ("c", "k"), ("w", "v"), ("ou", "u"), ("oy", "u"), ("y", "i"), ("j", "i"), ("ie", "e"),
    ("ii", "i"), ("iu", "u"), ("ia", "a"), ("io", "o"), ("ei", "i"), ("eo", "o"), ("tz", "ts"),
)  # fmt: skip
_SILENT: Final = re.compile("(?<=[aeiou])h(?![aeiou])")
_DOUBLES: Final = re.compile(r"(.)\1+")

# The endings of the cases of names, longest first.
_CASES: Final = (
    "ого его ому ему ові еві ои еи ом ем ым им ую ою ею ая ыи ии яя ию а я у ю е и ы і ь о"
)
_ENDINGS: Final = tuple(_CASES.split())


def stems(plain: str) -> list[str]:
    """Return a Cyrillic word without each ending that it may have, for comparison with stems."""
    cut = [plain.removesuffix(ending) for ending in _ENDINGS if plain.endswith(ending)]
    return [f"-{stem}" for stem in (plain, *cut) if len(stem) > 2]


ABJADS: Final = frozenset({"arabic", "hebrew", "9"})
"""Scripts that write few vowels or none, and Devanagari, whose vowels are seldom transliterated."""
NASALS: Final = re.compile("[ङञणनम]\u094d(?=[क-ह])")
"""A nasal in front of a consonant, which Devanagari may also write as a point above."""
_SPOKEN: Final = (("μπ", "b"), ("ντ", "d"), ("γκ", "g"), ("γγ", "ng"), ("ευ", "ev"), ("αυ", "av"))
_VOWELS: Final = re.compile("[aeiouwyv']")
_CONSONANTS: Final = (
    ("sh", "s"),
    ("c", "k"),
    ("kh", "h"),
    ("gh", "g"),
    ("dh", "d"),
    ("th", "t"),
    ("ph", "f"),
    ("q", "k"),
    ("kk", "k"),
)


def as_spoken(word: str) -> str:
    """Return a Greek word with its pairs of letters as the pairs are spoken."""
    for pair, spoken in _SPOKEN:
        word = word.replace(pair, spoken)
    return word


def consonants(plain: str) -> str:
    """Return the key of a word's consonants, from the word's plain spelling in Latin letters."""
    kept = _VOWELS.sub("", _DOUBLES.sub(r"\1", plain))
    for pattern, rough in _CONSONANTS:
        kept = kept.replace(pattern, rough)
    return f"^{kept.removesuffix('h') or kept}"
