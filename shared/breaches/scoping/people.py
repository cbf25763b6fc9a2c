"""The number of distinct persons, counted by names in flat memory: pure rules.

The count keeps the 1,024 smallest of the keyed hashes of all names ("k minimum values": Bar-Yossef
et al., "Counting Distinct Elements in a Data Stream", 2002). Up to 1,023 names the count is exact;
beyond, the k-th smallest hash tells the number, with a standard error of about 3 %. A set of hashes
takes a name twice without harm, so a batch may be counted again after a crash.

The number is an estimate of persons also for other reasons: two persons of one name count once; a
person with a name and an address counts twice; a firm in a field for names counts as a person; who
is shown and not named does not count.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from shared.subjects.folding import WORD, clean, spell

KEPT: Final = 1024
_SIZE: Final = 8
_SEPARATORS: Final = re.compile(r"\s*[;|\n\r\t/]+\s*|\s+(?:and|und|et|og|&)\s+")
_ADDRESS: Final = re.compile(r"[^\s@<>\"'(),;]+@[^\s@<>\"'(),;]+\.[^\s@<>\"'(),;]+")
_LONGEST: Final = 20_000
_MOST_WORDS: Final = 12


def has_address(text: str) -> bool:
    """Tell whether a text has an e-mail address."""
    return "@" in text and _ADDRESS.search(text[:_LONGEST]) is not None


def person_keys(text: str) -> set[str]:
    """Return a key for each person that a text of a naming field names.

    Words are compared without case, accents and order, so that "Larsen, Kim" is "Kim Larsén".
    """
    cleaned = clean(text[:_LONGEST])
    found = {address.lower() for address in _ADDRESS.findall(cleaned)}
    for part in _SEPARATORS.split(_ADDRESS.sub(";", cleaned)):
        words = [spell(word)[0].plain for word in WORD.findall(part)]
        words = [word for word in words if word and not word.isdigit()]
        # A sentence is no name.
        if words and len(words) <= _MOST_WORDS:
            found.add(" ".join(sorted(words)))
    return found


class PersonSketch:
    """A set of keyed hashes of names, of which the smallest are kept."""

    def __init__(self, key: bytes, hashes: bytes = b"") -> None:
        self._key = key
        self._hashes = {hashes[at : at + _SIZE] for at in range(0, len(hashes), _SIZE)}

    def add(self, keys: Iterable[str]) -> None:
        """Add the names of one asset."""
        for name in keys:
            data = name.encode(errors="surrogatepass")
            self._hashes.add(hashlib.blake2b(data, digest_size=_SIZE, key=self._key).digest())
        if len(self._hashes) > KEPT:
            self._hashes = set(sorted(self._hashes)[:KEPT])

    def dump(self) -> bytes:
        """Return the kept hashes, in order."""
        return b"".join(sorted(self._hashes))

    def count(self) -> tuple[int, bool]:
        """Return the number of distinct names, and whether the number is estimated."""
        if len(self._hashes) < KEPT:
            return len(self._hashes), False
        largest = int.from_bytes(max(self._hashes))
        return round((KEPT - 1) * 2.0 ** (8 * _SIZE) / (largest + 1)), True
