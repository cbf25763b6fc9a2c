"""Decode text whose encoding no standard or no writer keeps to.

IPTC-IIM, EXIF, ID3, RIFF and PDF let a writer leave the encoding out, and writers put in the
encoding of their own system. Where bytes are no UTF-8, several encodings may fit.
"""

import codecs
import re
import unicodedata
from functools import lru_cache
from itertools import islice
from typing import Final

# Windows, Macintosh and East Asian encodings, in the order of their use.
_ENCODINGS: Final = (
    *("cp1252", "mac_roman", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp1258", "iso8859_2", "iso8859_5", "iso8859_7", "koi8_r", "mac_latin2", "mac_cyrillic"),
    *("mac_greek", "mac_turkish", "cp437", "cp850", "cp866"),
    *("cp932", "gb18030", "big5", "euc_jp", "cp949"),
)
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Controls, lines of boxes, and characters for private use.
_IMPLAUSIBLE: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u2500-\u259f\ue000-\uf8ff]")
# Wide encodings, and the zeros of an ASCII letter.
_WIDE: Final = (
    (("utf-32-le", "utf-32-be"), b"\0\0\0"),
    (("utf-16-le", "utf-16-be"), b"\0"),
)
_MARK: Final = {
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
# Bytes in which the header of a packet names the byte order by a byte order mark.
_HEADER: Final = 200
_DECLARED: Final = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z][\w.-]*)[\"']")
_ISO_2022_JP: Final = re.compile(rb"\x1b\$[@B]")
_WORD: Final = re.compile(r"[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*")
# Words that are looked at.
_WORDS: Final = 200
_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC")

type Decoded = tuple[str, tuple[str, ...]]
"""A text, and the other readings of the text."""


def decoded(raw: bytes) -> Decoded:
    """Return the text of `raw`, and the text in every other encoding that fits.

    UTF-8 that is no ASCII is never anything but UTF-8 by chance, and has no other readings.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, "replace"), ()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return _in_doubt(raw)
    if _ISO_2022_JP.search(raw):
        try:
            return raw.decode("iso2022_jp"), ()
        except UnicodeDecodeError:
            pass
    return text, ()


def decoded_utf16(raw: bytes, *, little: bool) -> Decoded:
    """Return the text of UTF-16, and the text in the other byte order where that order fits too."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace"), ()
    orders = ("utf-16-le", "utf-16-be") if little else ("utf-16-be", "utf-16-le")
    first, second = (raw.decode(order, "replace").rstrip("\0") for order in orders)
    if _is_text(second) and not _is_text(first):
        return second, ()
    return first, (second,) if _is_text(second) else ()


def markup(raw: bytes) -> str:
    """Return the characters of XML, by a byte order mark, by zeros, or by the declaration.

    Source: XML 1.0, Annex F; XMP part 1, section 7.3.2, for the mark in a packet's header. The last
    zeros may be missing.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    bracket = raw.find(b"<")
    for encodings, zeros in _WIDE:
        if bracket >= 0 and raw.startswith(zeros, bracket + 1):
            little, big = encodings
            if raw[:bracket] == zeros:
                return raw.decode(big, "replace")
            body = raw[bracket:]
            # White space, and so the last zeros, may be missing.
            padded = body + bytes(-len(body) % (len(zeros) + 1))
            if _MARK[big] in padded[:_HEADER] and _MARK[little] not in padded[:_HEADER]:
                whole = zeros + body
                return whole[: len(whole) & -len(zeros + b"<")].decode(big, "replace")
            return padded.decode(little, "replace")
    declared = _DECLARED.match(raw)
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    # The letters are single bytes, so a declared encoding of two or four bytes is wrong.
    if name.startswith(("utf-16", "utf-32", "iso-10646")):
        name = "utf-8"
    try:
        return raw.decode(name)
    except (UnicodeDecodeError, LookupError):
        return decoded(raw)[0]


def is_text(raw: bytes) -> bool:
    """Tell whether `raw` is text in UTF-8, and not the numbers of a program."""
    try:
        return not _CONTROLS.search(raw.rstrip(b"\0").decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _in_doubt(raw: bytes) -> Decoded:
    # The files of one upload, and of one photographer, repeat the same names.
    return _readings(raw) if len(raw) > _SHORT else _short_readings(raw)


def _readings(raw: bytes) -> Decoded:
    texts: dict[str, None] = {}
    for encoding in _ENCODINGS:
        try:
            texts[raw.decode(encoding)] = None
        except UnicodeDecodeError:
            continue
    readings = [text for text in texts if _is_text(text)]
    first = raw.decode("cp1252", "replace")
    if not readings:
        return first, (raw.decode("utf-8", "replace"),)
    # Windows-1252 is what most writers mean.
    text = first if first in readings else readings[0]
    return text, tuple(other for other in readings if other != text)


_SHORT: Final = 200
_short_readings: Final = lru_cache(maxsize=1024)(_readings)


def _is_text(text: str) -> bool:
    """Tell whether `text` has no control characters, and no word in the letters of two scripts."""
    if _IMPLAUSIBLE.search(text):
        return False
    words = (word[0] for word in islice(_WORD.finditer(text), _WORDS))
    return all(len({_script(letter) for letter in word}) == 1 for word in words)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), "other")
