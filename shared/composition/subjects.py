"""Data subjects: the sealed records of what files say, and the search in the records."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow

if TYPE_CHECKING:
    from shared.subjects.records import Records
    from shared.subjects.search import Search


class SubjectsFlow(Flow):
    """The finding of data subjects."""

    @cached_property
    def records(self) -> "Records":
        """The sealed records of every tenant."""
        from shared.subjects.records import Records

        return Records(self._adapters.blobs, self._adapters.data_keys)

    @cached_property
    def search(self) -> "Search":
        """The search in the records."""
        from shared.subjects.search import Search

        return Search(self._adapters.tables, self.records)
