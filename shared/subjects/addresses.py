"""E-mail addresses and ids in texts."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from shared.subjects.identifiers import IdToken, MailAddress
from shared.subjects.letters import UNSPACED, script
from shared.subjects.name_likeness import Judgement

_LONGEST_LOCAL: Final = 64
"""The most letters in front of "@". Source: RFC 5321, section 4.5.3.1.1."""
_OUTSIDE: Final = frozenset(
    '@<>()[]",;: \t\r\n\x0b\x0c\u00a0\u2028\u2029\u201c\u201d\u201e\u00ab\u00bb'
    "\u3001\u3002「」『』【】《》〈〉"
)
_DOMAIN: Final = re.compile(r"(?:[^\W_]|-)+(?:\.(?:[^\W_]|-)+)*")
_FILE: Final = re.compile(
    r"\.(?:jpe?g|png|tiff?|gif|heic|dng|nef|cr[23]|mp4|mov|xmp|pdf|docx?|zip|txt|eml|vcf|json)$"
)
_AT: Final = re.compile(
    r"\s?[\[({<]\s?(?:at|@)\s?[\])}>]\s?|\s@\s|\sat\s(?=[\w-]+\s(?:dot|punkt)\s)", re.IGNORECASE
)
_DOT: Final = re.compile(r"\s?[\[({<]\s?(?:dot|punkt|\.)\s?[\])}>]\s?|\s(?:dot|punkt)\s")
_DOTLESS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Domains whose mailboxes are the same with and without dots."""
_HYPHENS: Final = re.compile("[\u2010-\u2013\u2212]")
_RESPELT: Final = r"[-\s._/]{0,2}"


class Addresses:
    """Finds e-mail addresses. An address with another tag is `likely`."""

    def __init__(self, addresses: Sequence[MailAddress]) -> None:
        """Take the addresses of a request."""
        self._exact, self._untagged = dict[str, set[int]](), dict[str, set[int]]()
        for address in addresses:
            local, _, domain = address.text.casefold().rpartition("@")
            exact = f"{local}@{_readable(domain)}"
            self._exact.setdefault(exact, set()).add(address.identifier)
            self._untagged.setdefault(_untagged(exact), set()).add(address.identifier)

    def find(self, text: str) -> Iterator[tuple[int, Judgement]]:
        """Find the addresses in a cleaned text."""
        if not self._exact:
            return
        if "@" in text:
            yield from self._find(text.casefold(), ("named", "address"))
        if _AT.search(text):
            respelt = _DOT.sub(".", _AT.sub("@", text.casefold()))
            yield from self._find(respelt, ("likely", "address-respelt"))

    def _find(self, text: str, verdict: Judgement) -> Iterator[tuple[int, Judgement]]:
        for at in re.finditer("@", text):
            domain = _DOMAIN.match(text, at.end())
            local = _local(text, at.start())
            if domain is None or not local:
                continue
            for exact in _readings(local, domain.group()):
                for identifier in self._exact.get(exact, ()):
                    yield identifier, verdict
                for identifier in self._untagged.get(_untagged(exact), ()):
                    yield identifier, ("likely", "address-tag")


def _local(text: str, end: int) -> str:
    """Return what stands in front of an "@"; "" where more stands there than an address has."""
    start = end
    while start > 0 and text[start - 1] not in _OUTSIDE:
        start -= 1
        if end - start > _LONGEST_LOCAL:
            return ""
    return text[start:end]


def _readings(local: str, domain: str) -> Iterator[str]:
    """Make the addresses that a text may mean, without quotes, a query's "to=", a file's ending."""
    bare = re.split(r"[=/?&|'*]", local)[-1].lstrip(".-_#")
    for each in dict.fromkeys((local, bare)):
        yield f"{each}@{_readable(domain)}"
        yield f"{_alone(each)[-1]}@{_alone(domain)[0]}"
        if _FILE.search(domain):
            yield f"{each}@{_readable(_FILE.sub('', domain))}"


def _alone(text: str) -> list[str]:
    """Split letters of scripts that write without spaces from a part of an address."""
    if text.isascii():
        return [text]
    return "".join(" " if script(letter) in UNSPACED else letter for letter in text).split(" ")


def _readable(domain: str) -> str:
    """Return a domain in letters: RFC 5890, "xn--mnchen-3ya.de" is "münchen.de"."""
    if "xn--" not in domain:
        return domain
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain


def _untagged(address: str) -> str:
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '') if domain in _DOTLESS else local}@{domain}"


class Ids:
    """Finds ids as whole tokens. An id with other hyphens or spaces is `likely`."""

    def __init__(self, tokens: Sequence[IdToken]) -> None:
        """Take the ids of a request."""
        self._ids = [_Id(token) for token in tokens]

    def find(self, text: str) -> Iterator[tuple[int, Judgement]]:
        """Find the ids in a cleaned text."""
        if not self._ids:
            return
        folded = _HYPHENS.sub("-", text.casefold())
        for each in self._ids:
            if each.anchor in folded and (verdict := each.find(folded)):
                yield each.identifier, verdict


class _Id:
    def __init__(self, token: IdToken) -> None:
        self.identifier = token.identifier
        self._text = _HYPHENS.sub("-", " ".join(token.text.casefold().split()))
        letters = re.findall(r"[^\W_]", self._text)
        self.anchor = max(re.findall(r"\d+", self._text), key=len)
        parts = re.findall(r"[^\W_]+", self._text)
        self._exact = re.compile(rf"(?<![^\W_]){re.escape(self._text)}(?![^\W_])")
        self._respelt = re.compile(
            rf"(?<![^\W_]){_RESPELT.join(letters if len(letters) > 4 else parts)}(?![^\W_])"
        )

    def find(self, text: str) -> Judgement | None:
        if self._exact.search(text):
            return "named", "id"
        return ("likely", "id-respelt") if self._respelt.search(text) else None
