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
    from shared.erasures import (
        Discovery,
        Erasures,
        ErasureSeals,
        ErasureStore,
        FindEvidence,
        Groups,
        Thumbnails,
    )


class ErasuresFlow(Flow):
    """The services of erasures."""

    @cached_property
    def _store(self) -> "ErasureStore":
        from shared.erasures import ErasureStore

        return ErasureStore(self._adapters.tables, self._flow(MessagesFlow).outbox, self.clock)

    @cached_property
    def _seals(self) -> "ErasureSeals":
        from shared.erasures import ErasureSeals

        incidents = self._flow(IncidentsFlow).incidents
        return ErasureSeals(self._adapters.data_keys, incidents, self.clock)

    @cached_property
    def _groups(self) -> "Groups":
        from shared.erasures import Groups

        assets, log = self._flow(AssetsFlow).assets, self._flow(MessagesFlow).log
        return Groups(self._store, assets, self._seals, log)

    @cached_property
    def discovery(self) -> "Discovery":
        """The discoveries of erasure requests."""
        from shared.erasures import Discovery

        return Discovery(
            self._store,
            self._flow(AssetsFlow).assets,
            self._flow(SubjectsFlow).search,
            self._seals,
            self._groups,
            self._adapters.bus,
            self.clock,
        )

    @cached_property
    def evidence(self) -> "FindEvidence":
        """The evidence of every tenant's finds."""
        from shared.erasures import FindEvidence

        assets, search = self._flow(AssetsFlow).assets, self._flow(SubjectsFlow).search
        return FindEvidence(self._store, assets, search, self._seals)

    @cached_property
    def erasures(self) -> "Erasures":
        """The erasure requests of every tenant."""
        from shared.erasures import Erasures

        return Erasures(
            self._store,
            self.discovery,
            self.evidence,
            self._seals,
            self._groups,
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
