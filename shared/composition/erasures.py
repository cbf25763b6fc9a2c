"""Erasures: the erasure requests of every tenant."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.assets import AssetsFlow
from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.erasures import Erasures


class ErasuresFlow(Flow):
    """The services of erasures."""

    @cached_property
    def erasures(self) -> "Erasures":
        """The erasure requests of every tenant."""
        from shared.erasures import Erasures, ErasureStore

        messages = self._flow(MessagesFlow)
        store = ErasureStore(self._adapters.tables, messages.outbox, self.clock)
        assets, secrets = self._flow(AssetsFlow).assets, self._adapters.secrets
        return Erasures(store, assets, messages.log, secrets, self.clock)
