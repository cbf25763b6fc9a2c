"""The tables of the catalogue of stores."""

from dataclasses import dataclass

import pytest

from infra.docs.stores import stores_page, with_personal_data

PAGE = (
    "# Privacy\n\n"
    "<!-- The personal data, made by `make docs` from the catalogue of stores: -->\n"
    "old\n"
    "<!-- The end of the made table. -->\n\nMore.\n"
)


@dataclass(frozen=True)
class Store:
    kind: str
    name: str
    keeps: str = "Something."
    personal_data: str = ""
    data_subject: str = ""
    partition: str = "tenant"
    retention: str = "an hour"


STORES = (
    Store("table", "assets", personal_data="names of fields", data_subject="data subjects"),
    Store("queue", "intake"),
)


def test_each_store_stands_under_its_kind():
    page = stores_page(STORES).decode()
    queues, tables = page.index("## Queues"), page.index("## Tables")
    assert queues < page.index("| `intake` | Something. | none | tenant | an hour |") < tables
    assert page.index("| `assets` | Something. | names of fields |") > tables


def test_the_table_of_personal_data_has_the_stores_with_personal_data_alone():
    made = with_personal_data(PAGE, STORES).decode()
    assert "| table `assets` | names of fields | data subjects | an hour |" in made
    assert "intake" not in made
    assert "old" not in made
    assert made.endswith("More.\n")
    assert with_personal_data(made, STORES).decode() == made


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="no place"):
        with_personal_data("# Privacy\n", STORES)
