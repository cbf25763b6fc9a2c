"""Assets: the cleared and the quarantined files of every tenant."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow
from shared.composition.subjects import SubjectsFlow

if TYPE_CHECKING:
    from shared.assets import Assets
    from shared.subjects.search import Search


class AssetsFlow(Flow):
    """The services of assets."""

    @cached_property
    def assets(self) -> "Assets":
        """The assets of every tenant."""
        from shared.assets import Assets

        adapters, outbox = self._adapters, self._flow(MessagesFlow).outbox
        return Assets(adapters.tables, adapters.blobs, outbox, self.clock)

    @property
    def search(self) -> "Search":
        """The search in the records of what files say."""
        return self._flow(SubjectsFlow).search
