"""Rescans: stored assets are scanned again when signatures change, and on demand."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.accesslog import AccessLogFlow
from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow
from shared.composition.scanning import ScanningFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.assets.scan_index import ScanIndex
    from shared.rescans import Rescans, Schedule
    from shared.rescans.budget import Budget
    from shared.rescans.quarantine import Quarantine
    from shared.rescans.store import RescanStore


class RescansFlow(Flow):
    """The services of rescans."""

    @cached_property
    def rescans(self) -> "Rescans":
        """The rescans of every tenant."""
        from shared.rescans import Rescans

        return Rescans(
            self._store,
            self._index,
            self._quarantine,
            self._budget,
            self._flow(ScanningFlow).engines.on_demand,
            self._adapters.blobs,
            self.clock,
        )

    @cached_property
    def schedule(self) -> "Schedule":
        """The timer's work."""
        from shared.rescans import Schedule
        from shared.rescans.budget import PresentSignatures

        return Schedule(
            self.rescans,
            self._store,
            self._index,
            self._quarantine,
            self._budget,
            PresentSignatures(self._adapters.tables),
            self._flow(ScanningFlow).engines.on_demand,
            self._flow(TenancyFlow).tenants,
            self.clock,
        )

    @cached_property
    def _store(self) -> "RescanStore":
        from shared.assets.run_store import RunStore
        from shared.rescans.store import RESCANS

        return RunStore(self._adapters.tables, self._flow(MessagesFlow).outbox, self.clock, RESCANS)

    @cached_property
    def _index(self) -> "ScanIndex":
        from shared.assets.scan_index import ScanIndex

        return ScanIndex(self._adapters.tables)

    @cached_property
    def _quarantine(self) -> "Quarantine":
        from shared.rescans.quarantine import Quarantine

        return Quarantine(
            self._adapters.tables,
            self._adapters.blobs,
            self._flow(MessagesFlow).outbox,
            self._store,
            self._flow(AccessLogFlow).reading,
            self.clock,
        )

    @cached_property
    def _budget(self) -> "Budget":
        from shared.rescans.budget import Budget

        return Budget(self._adapters.tables, self.clock, self._settings.RESCAN_BYTES_A_DAY)
