"""Entity tags, and the condition `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1)."""

import hashlib
import re
from typing import Final

from shared.errors import MalformedInputError, PreconditionFailedError, PreconditionRequiredError

# A tag or the end of the list; an element of a list may be empty (section 5.6.1).
_TAG: Final = re.compile(r'[ \t]*(?:(W/)?"([!#-~\x80-\xff]*)"[ \t]*)?(,|\Z)')


def etag_header(etag: str) -> str:
    """Make a strong ETag of the weak ETag that Table Storage gave."""
    return f'"{_opaque(etag)}"'


def require_match(given: str | None, etag: str, *, whatever: bool) -> None:
    """Hold a transition to the state that the caller has seen: If-Match is `given`.

    `whatever` lets `*` stand for every state. A weak tag matches no state. Raises
    PreconditionRequiredError without a tag, MalformedInputError for anything but a list of tags,
    and PreconditionFailedError for another tag.
    """
    if given is None:
        raise _required("if-match-missing", "This transition needs")
    if given.strip(" \t") == "*":
        if whatever:
            return
        raise _required("if-match-any", "`*` stands for every state, and this transition needs")
    if _opaque(etag) not in _strong_tags(given):
        raise PreconditionFailedError(
            "if-match-failed",
            "The resource has changed since you read it.",
            "Read it again, and decide again.",
        )


def _strong_tags(given: str) -> set[str]:
    tags, at, count = set(), 0, 0
    while True:
        found = _TAG.match(given, at)
        if found is None:
            raise _malformed()
        weak, tag, end = found.groups()
        if tag is not None:
            count += 1
            tags |= set() if weak else {tag}
        at = found.end()
        if end != ",":
            break
    if not count:
        raise _malformed()
    return tags


def _opaque(etag: str) -> str:
    return hashlib.sha256(etag.encode()).hexdigest()[:32]


def _required(code: str, why: str) -> PreconditionRequiredError:
    return PreconditionRequiredError(
        code,
        f"{why} the ETag of the state that you have seen.",
        "Read the resource and send its ETag as If-Match.",
    )


def _malformed() -> MalformedInputError:
    return MalformedInputError(
        "if-match-invalid",
        "If-Match is no list of entity tags.",
        "Send the ETag of the resource as it came, with its quotes.",
    )
