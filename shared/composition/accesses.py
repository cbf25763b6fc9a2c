"""Accesses: a support engineer's access to an asset, under a consent grant."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.assets import AssetsFlow
from shared.composition.consents import ConsentsFlow
from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.accesses import Accesses


class AccessesFlow(Flow):
    """The services of accesses."""

    @cached_property
    def accesses(self) -> "Accesses":
        """Accesses to the assets of every tenant."""
        from shared.accesses import Accesses

        return Accesses(
            self._flow(AssetsFlow).assets,
            self._flow(ConsentsFlow).consents,
            self._flow(MessagesFlow).log,
            self._adapters.blobs,
            self.clock,
        )
