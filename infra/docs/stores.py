"""The catalogue of stores as tables: every queue, table and container, and the personal data."""

from collections.abc import Iterable
from typing import Final, Protocol

from infra.docs import markdown
from infra.docs.markdown import code

_BEGIN: Final = "<!-- The personal data, made by `make docs` from the catalogue of stores: -->\n"
_END: Final = "\n<!-- The end of the made table. -->"
_KINDS: Final = {"queue": "Queues", "table": "Tables", "container": "Blob containers"}
_INTRODUCTION: Final = """\
Every queue, table and blob container of a stamp. [Privacy](../explanation/privacy.md) explains the
rules behind the table."""


class Store(Protocol):
    """One queue, table or container, as the catalogue describes the store."""

    @property
    def kind(self) -> str:
        """`queue`, `table` or `container`."""

    @property
    def name(self) -> str:
        """The name in Azure."""

    @property
    def keeps(self) -> str:
        """A sentence on the content."""

    @property
    def personal_data(self) -> str:
        """The personal data in the store; empty where the store has none."""

    @property
    def data_subject(self) -> str:
        """The people whom the personal data is about."""

    @property
    def partition(self) -> str:
        """The partition key, the session or the folder."""

    @property
    def retention(self) -> str:
        """How long the content stays."""


def stores_page(stores: Iterable[Store]) -> bytes:
    """Return `reference/stores.md`: a section for each kind of store."""
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
