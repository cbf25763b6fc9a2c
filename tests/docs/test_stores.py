"""The tables of the catalogue of stores."""

import pytest

from infra.docs.stores import stores_page, with_personal_data
from shared.catalogue import Store

PAGE = (
    "# Privacy\n\n"
    "<!-- The personal data, made by `make docs` from the catalogue of stores: -->\n"
    "old\n"
    "<!-- The end of the made table. -->\n\nMore.\n"
)


def store(kind, name, personal_data="", data_subject=""):
    return Store(kind, name, "Something.", personal_data, data_subject, "tenant", "an hour")


STORES = (
    store("table", "assets", "names of fields", "data subjects"),
    store("queue", "intake"),
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
