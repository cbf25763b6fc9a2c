"""Erasures: the erasure requests of every tenant."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.assets import AssetsFlow
from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.subjects import SubjectsFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.erasures import Discovery, Erasures, ErasureStore, Thumbnails


class ErasuresFlow(Flow):
    """The services of erasures."""

    @cached_property
    def _store(self) -> "ErasureStore":
        from shared.erasures import ErasureStore

        return ErasureStore(self._adapters.tables, self._flow(MessagesFlow).outbox, self.clock)

    @cached_property
    def discovery(self) -> "Discovery":
        """The discoveries of erasure requests."""
        from shared.erasures import Discovery

        return Discovery(
            self._store,
            self._flow(AssetsFlow).assets,
            self._flow(SubjectsFlow).search,
            self._adapters.data_keys,
            self._flow(IncidentsFlow).incidents,
            self._adapters.bus,
            self.clock,
        )

    @cached_property
    def erasures(self) -> "Erasures":
        """The erasure requests of every tenant."""
        from shared.erasures import Erasures

        return Erasures(
            self._store,
            self.discovery,
            self._flow(AssetsFlow).assets,
            self._adapters.blobs,
            self._flow(TenancyFlow).tenants,
            self._flow(MessagesFlow).log,
            self.clock,
        )

    @cached_property
    def thumbnails(self) -> "Thumbnails":
        """The thumbnails of every tenant's finds."""
        from shared.erasures import Thumbnails

        return Thumbnails(self._store, self._flow(AssetsFlow).assets, self._adapters.blobs)
