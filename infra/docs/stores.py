"""The catalogue of stores as tables: every queue, table and container, and the personal data."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from infra.docs import markdown
from infra.docs.markdown import code
from shared.catalogue import STORES, Store

_PRIVACY: Final = Path(__file__).parents[2] / "docs/explanation/privacy.md"
_BEGIN: Final = "<!-- The personal data, made by `make docs` from the catalogue of stores: -->\n"
_END: Final = "\n<!-- The end of the made table. -->"
_KINDS: Final = {"queue": "Queues", "table": "Tables", "container": "Blob containers"}
_INTRODUCTION: Final = """\
Every queue, table and blob container that the app opens. [Privacy](../explanation/privacy.md)
explains the rules behind the table."""


def page() -> bytes:
    """Return `reference/stores.md`."""
    return stores_page(STORES)


def privacy_page() -> bytes:
    """Return `explanation/privacy.md` with the table of personal data as the catalogue has it."""
    return with_personal_data(_PRIVACY.read_text(encoding="utf-8"), STORES)


def stores_page(stores: Iterable[Store]) -> bytes:
    """Return a page with a section for each kind of store."""
    listed = list(stores)
    sections = []
    for kind, title in _KINDS.items():
        rows = (
            (code(one.name), one.keeps, one.personal_data or "none", one.partition, one.retention)
            for one in listed
            if one.kind == kind
        )
        heads = ("name", "keeps", "personal data", "partitioned by", "kept for")
        sections += [f"## {title}", markdown.table(heads, rows)]
    return markdown.page("Stores", _INTRODUCTION, *sections)


def with_personal_data(text: str, stores: Iterable[Store]) -> bytes:
    """Return the page `text` with the table of personal data between the two marks.

    Raises ValueError for a text without the marks.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("The page has no place for the table of personal data.")
    table = markdown.table(
        ("store", "personal data", "of whom", "kept for"),
        (
            (f"{one.kind} {code(one.name)}", one.personal_data, one.data_subject, one.retention)
            for one in stores
            if one.personal_data
        ),
    )
    return f"{before}{begin}\n{table}\n{end}{after}".encode()
