"""Markdown as GitHub renders Markdown: tables, anchors, and the page around a made document."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

_MADE: Final = "<!-- Made from the code by `make docs`; `make drift` checks the page. -->"
# GitHub keeps letters, digits, hyphens and underscores of a heading, and turns a space into a
# hyphen: "Section links", docs.github.com/get-started/writing-on-github.
_NOT_IN_SLUG: Final = re.compile(r"[^\w\- ]")


def page(title: str, *parts: str) -> bytes:
    """Return the document `title` as UTF-8, its parts parted by blank lines."""
    return ("\n\n".join([_MADE, f"# {title}", *(part for part in parts if part)]) + "\n").encode()


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar or a line break in a cell is escaped."""
    lines = [heads, ["---"] * len(heads), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """Return `text` as a table's cell takes the text."""
    return " ".join(text.split()).replace("|", r"\|")


def code(text: object) -> str:
    """Return `text` in backquotes."""
    return f"`{text}`"


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading, for the first heading of that text."""
    return _NOT_IN_SLUG.sub("", heading.strip().lower()).replace(" ", "-")


def link(text: str, anchor: str) -> str:
    """Return a link to a heading of the same page; `anchor` is the heading's text."""
    return f"[{text}](#{slug(anchor)})"
