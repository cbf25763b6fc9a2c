"""The forms of a person's name or e-mail address for indexing and search.

The index must find "Zoë Müller" under "ZOË  MÜLLER" and under "zoe muller" in a tenant's request.
The index must store no name: the index stores an HMAC of each form. Source: GDPR article 4(5),
pseudonymisation.
"""

import hashlib
import hmac
import re
import unicodedata
from typing import Final

_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
# Letters whose stroke or ligature Unicode does not decompose.
_STROKES: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i"}
    | {"æ": "ae", "œ": "oe", "þ": "th"}
)
# Canonical combining classes from 200 on are accents around a letter. Lower classes are parts of a
# letter: the voicing mark tells the Japanese "ga" from "ka".
_FIRST_ACCENT_CLASS: Final = 200


def normalise(identifier: str) -> tuple[str, ...]:
    """Return the forms of `identifier` to compare: zero, one or two forms.

    The first form is caseless and compatibility-composed (The Unicode Standard 3.13, D146), with
    white space collapsed. The second form, if different, has no diacritics. An e-mail address has
    only the first form, because an address with an accent and an address without are two mailboxes.
    """
    kept = _collapse(_caseless(_visible(identifier)))
    if not kept:
        return ()
    if _EMAIL.fullmatch(kept):
        return (kept,)
    folded = _collapse(_without_diacritics(kept))
    return (kept, folded) if folded not in ("", kept) else (kept,)


def index_keys(identifier: str, secret: bytes) -> tuple[str, ...]:
    """Return the HMAC-SHA-256 of each form of `identifier`, as 64 hexadecimal digits."""
    return tuple(
        hmac.new(secret, form.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        for form in normalise(identifier)
    )


def _visible(text: str) -> str:
    """Remove invisible characters from `text`; a control character separates words."""
    return "".join(
        " " if category == "Cc" else character
        for character in text
        if (category := unicodedata.category(character)) != "Cf"
    )


def _caseless(text: str) -> str:
    folded = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())


def _without_diacritics(text: str) -> str:
    letters = "".join(
        character
        for character in unicodedata.normalize("NFD", text)
        if unicodedata.combining(character) < _FIRST_ACCENT_CLASS
    )
    return unicodedata.normalize("NFC", letters).translate(_STROKES)


def _collapse(text: str) -> str:
    return " ".join(text.split())
