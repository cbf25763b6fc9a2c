"""Rereads: the records of stored assets are made anew."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.subjects import SubjectsFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.rereads import Rereads


class RereadsFlow(Flow):
    """The services of rereads."""

    @cached_property
    def rereads(self) -> "Rereads":
        """The rereads of every tenant."""
        from shared.assets.run_store import RunStore
        from shared.rereads import Rereads
        from shared.rereads.renewal import Renewal
        from shared.rereads.store import REREADS, Library

        adapters = self._adapters
        return Rereads(
            RunStore(adapters.tables, self._flow(MessagesFlow).outbox, self.clock, REREADS),
            Library(adapters.tables),
            Renewal(adapters.blobs, self._flow(SubjectsFlow).records, self.clock),
            adapters.data_keys,
            adapters.blobs,
            self._flow(IncidentsFlow).incidents,
            self._flow(TenancyFlow).tenants,
            self.clock,
        )
