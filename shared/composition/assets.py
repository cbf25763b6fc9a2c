"""Assets: the cleared and the quarantined files of every tenant."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.assets import Assets


class AssetsFlow(Flow):
    """The services of assets."""

    @cached_property
    def assets(self) -> "Assets":
        """The assets of every tenant."""
        from shared.assets import Assets

        adapters, outbox = self._adapters, self._flow(MessagesFlow).outbox
        return Assets(adapters.tables, adapters.blobs, outbox, self.clock)
