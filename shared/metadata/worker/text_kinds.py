"""The kinds of text with metadata at the head, by the first bytes."""

import codecs
import re
from typing import Final

_HEAD: Final = 4096
_MAIL: Final = (
    rb"return-path|received|delivered-to|message-id|mime-version|from|to|cc|bcc|subject|date|"
    rb"reply-to|sender|x-[\w-]{1,60}|dkim-signature|authentication-results|arc-[\w-]{1,60}|"
    rb"content-type"
)
_KINDS: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    ("rtf", re.compile(rb"\{\\rtf")),
    # An encapsulated file may begin with a table of its parts.
    ("postscript", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("vcard", re.compile(rb"BEGIN:(?:VCARD|VCALENDAR)\s", re.IGNORECASE)),
    # A known header, and one more header behind the first; a line of prose is neither.
    (
        "mail",
        re.compile(
            rb"(?:From [^\r\n]{0,200}\r?\n)?(?:" + _MAIL + rb"):[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+"
            rb"\r?\n[\w-]{1,60}:",
            re.IGNORECASE,
        ),
    ),
    ("takeout", re.compile(rb"\{\s*\"|\[\s*[\[{\"]")),
    ("html", re.compile(rb"<")),
)


def kind_of(head: bytes) -> str | None:
    """Return the kind of the text that begins with `head`, or None for any other text."""
    head = head[:_HEAD].removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
    return next((kind for kind, start in _KINDS if start.match(head)), None)
