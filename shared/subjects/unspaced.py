"""Names in scripts that write without spaces, or with spaces at will: 山田花子, 김 민준, สมชาย."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from anyascii import anyascii

from shared.subjects.identifiers import PersonName
from shared.subjects.letters import KOREAN
from shared.subjects.name_likeness import Judgement

if TYPE_CHECKING:
    from opencc import OpenCC

_CLASSES: Final = (
    (r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af", "han"),
    (r"\u3041-\u3096\u30a1-\u30fa\u30fc", "kana"),
    (r"\uac00-\ud7a3", "hangul"),
    (r"\u0e01-\u0e4e", "thai"),
    (r"\u0e81-\u0ece", "lao"),
    (r"\u1000-\u104f", "burmese"),
    (r"\u1780-\u17d3", "khmer"),
)
_ANY: Final = re.compile(f"[{''.join(letters for letters, _ in _CLASSES)}]")
_RUN: Final = re.compile(f"[{''.join(letters for letters, _ in _CLASSES)}]+")
_CLASS_OF: Final = [(re.compile(f"[{letters}]"), name) for letters, name in _CLASSES]
_HAN: Final = re.compile(f"[{_CLASSES[0][0]}]")
# What may stand between the parts of a name: spaces, the middle dot, hyphens.
_BETWEEN: Final = r"[\s\u00b7\u30fb\u2022_.=\uff1d\u2010-\u2013-]{0,2}"
# What may follow a name at once: titles, and the particles of Japanese and Korean.
_FOLLOWING: Final = re.compile(
    "さん|さま|様|氏|くん|君|ちゃん|殿|先生|女士|小姐|同志|教授|博士|老師|老师|"
    "は|が|の|と|も|を|に|へ|で|や|"
    "씨|님|군|양|선생|교수|기자|박사|의|은|는|이|가|을|를|와|과|도|에게"
)
_PRECEDING: Final = re.compile(
    "(?:คุณ|นาย|นางสาว|นาง|ดร|摄影|攝影|撮影|写真|作者|记者|記者|사진|기자)$"
)
# Forms of one letter that differ in Japan.
_JAPANESE: Final = str.maketrans("髙﨑邉邊濵濱澤齋齊廣國嶋塚桒", "高崎辺辺浜浜沢斎斉広国島塚桑")
_KANA: Final = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_COMPOUND: Final = frozenset("欧阳 司马 上官 诸葛 夏侯 东方 皇甫 尉迟 公孙 慕容 司徒 令狐".split())  # noqa: SIM905


def is_unspaced(text: str) -> bool:
    """Tell whether a text has letters of these scripts."""
    return not text.isascii() and _ANY.search(text) is not None


class UnspacedNames:
    """Finds names in texts as runs of letters."""

    def __init__(self, names: Sequence[PersonName]) -> None:
        """Take the names of a request, of which those in these scripts count."""
        self._names = [
            _Name(name.identifier, [fold(word) for word in name.words])
            for name in names
            if all(_RUN.fullmatch(fold(word)) for word in name.words)
        ]

    def find(self, text: str) -> Iterator[tuple[int, Judgement]]:
        """Find the names in a cleaned text."""
        if not self._names or not is_unspaced(text):
            return
        folded = fold(text)
        for name in self._names:
            for verdict in name.find(folded):
                yield name.identifier, verdict


def fold(text: str) -> str:
    """Return a text in simplified Chinese letters and hiragana, for comparison."""
    if _HAN.search(text):
        text = _simplified().convert(text.translate(_JAPANESE))
    return text.translate(_KANA)


@cache
def _simplified() -> "OpenCC":
    from opencc import OpenCC

    return OpenCC("t2s")


def romanised(name: PersonName) -> list[tuple[str, ...]]:
    """Return a name's syllables in Latin letters, each with its spellings: gim or kim, min, jun."""
    letters = "".join(name.words)
    if not all(_RUN.fullmatch(word) for word in name.words):
        return []
    syllables = [anyascii(letter).lower() for letter in letters]
    return [
        (syllable, KOREAN[syllable]) if at == 0 and syllable in KOREAN else (syllable,)
        for at, syllable in enumerate(syllables)
        if syllable.isalpha()
    ]


class _Name:
    def __init__(self, identifier: int, parts: Sequence[str]) -> None:
        self.identifier = identifier
        self._whole = "".join(parts)
        self._patterns: list[tuple[re.Pattern[str], Judgement]] = [
            (_spread(self._whole), ("named", "whole"))
        ]
        if len(parts) > 1:
            reversed_ = "".join([*parts[1:], parts[0]])
            self._patterns.append((_spread(reversed_), ("named", "reordered")))
        surname = 2 if self._whole[:2] in _COMPOUND else 1
        self._parts = parts if len(parts) > 1 else [self._whole[surname:]]

    def find(self, text: str) -> Iterator[Judgement]:
        for pattern, verdict in self._patterns:
            for match in pattern.finditer(text):
                yield self._weigh(text, match.start(), match.end(), verdict)
        for part in self._parts:
            if len(part) > 1 and part != self._whole:
                at = text.find(part)
                if at >= 0 and _surplus(text, at, at + len(part)) == 0:
                    yield "possible", "part"

    def _weigh(self, text: str, start: int, end: int, verdict: Judgement) -> Judgement:
        surplus = _surplus(text, start, end)
        if surplus == 0:
            return verdict
        if surplus == 1 and len(self._whole) < 4:
            return "possible", "part"
        return "likely", "within"


def _spread(letters: str) -> re.Pattern[str]:
    return re.compile(_BETWEEN.join(map(re.escape, letters)))


def _surplus(text: str, start: int, end: int) -> int:
    """Count the letters around a find that may belong to a longer name, up to two."""
    before = _same_class(text, start - 1, start) and not _PRECEDING.search(
        text, max(0, start - 8), start
    )
    behind = _same_class(text, end, end - 1) and not _FOLLOWING.match(text, end)
    if not before and not behind:
        return 0
    further = (before and _same_class(text, start - 2, start)) or (
        behind and _same_class(text, end + 1, end - 1)
    )
    return 2 if further or (before and behind) else 1


def _same_class(text: str, at: int, beside: int) -> bool:
    """Tell whether two places of a text have letters of one of these scripts."""
    if not 0 <= at < len(text):
        return False
    return _class(text[at]) is not None and _class(text[at]) == _class(text[beside])


def _class(letter: str) -> str | None:
    return next((name for pattern, name in _CLASS_OF if pattern.match(letter)), None)
