"""The access log: its entries, proofs, exports, redactions and integrity."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.accesslog import LogStore
    from shared.accesslog.arrivals import Arrivals
    from shared.accesslog.integrity.watch import IntegrityWatch
    from shared.accesslog.proofs.checkpoints import Checkpoints
    from shared.accesslog.proofs.entry_proofs import EntryProofs
    from shared.accesslog.proofs.keys import LogKeys
    from shared.accesslog.proofs.tree_proofs import Proofs
    from shared.accesslog.proofs.witnesses import Witnesses
    from shared.accesslog.reading.exports import Exports
    from shared.accesslog.reading.listing import Reading
    from shared.accesslog.redactions import Redactions
    from shared.tenancy import Tenants


class AccessLogFlow(Flow):
    """The services of the access log."""

    @property
    def tenants(self) -> "Tenants":
        """The tenants of the stamp."""
        return self._flow(TenancyFlow).tenants

    @property
    def store(self) -> "LogStore":
        """The access log in Table Storage."""
        return self._flow(MessagesFlow).log_store

    @cached_property
    def arrivals(self) -> "Arrivals":
        """The events that other services report."""
        from shared.accesslog.arrivals import Arrivals
        from shared.catalogue import ACCESS_EVENTS_QUEUE

        log = self._flow(MessagesFlow).log
        return Arrivals(ACCESS_EVENTS_QUEUE.name, self._adapters.bus, log)

    @cached_property
    def keys(self) -> "LogKeys":
        """The keys that sign checkpoints and redactions."""
        from shared.accesslog.proofs.keys import LogKeys

        return LogKeys(self._adapters.secrets, self._adapters.blobs, self.clock)

    @cached_property
    def reading(self) -> "Reading":
        """The listing of entries."""
        from shared.accesslog.reading.listing import Reading

        return Reading(self.store)

    @cached_property
    def proofs(self) -> "Proofs":
        """Proofs of the tree."""
        from shared.accesslog.proofs.tree_proofs import Proofs

        return Proofs(self.store)

    @cached_property
    def checkpoints(self) -> "Checkpoints":
        """The checkpoints of every log."""
        from shared.accesslog.proofs.checkpoints import Checkpoints

        return Checkpoints(
            self.store,
            self.keys,
            self._adapters.tables,
            self._adapters.blobs,
            self.clock,
            self._settings.LOG_ORIGIN,
        )

    @cached_property
    def entry_proofs(self) -> "EntryProofs":
        """Proofs of single entries."""
        from shared.accesslog.proofs.entry_proofs import EntryProofs

        return EntryProofs(self.store, self.checkpoints)

    @cached_property
    def witnesses(self) -> "Witnesses":
        """The witnesses of every log."""
        from shared.accesslog.proofs.witnesses import Witnesses

        outbox = self._flow(MessagesFlow).outbox
        return Witnesses(self._adapters.tables, self.checkpoints, outbox, self.clock)

    @cached_property
    def watch(self) -> "IntegrityWatch":
        """The integrity watch."""
        from shared.accesslog.integrity.watch import IntegrityWatch

        messages = self._flow(MessagesFlow)
        return IntegrityWatch(
            self._adapters.tables,
            messages.event_secret,
            self.checkpoints,
            messages.outbox,
            self._flow(IncidentsFlow).incidents,
            self.clock,
        )

    @cached_property
    def redactions(self) -> "Redactions":
        """The redaction of entries."""
        from shared.accesslog.redactions import Redactions

        log = self._flow(MessagesFlow).log
        return Redactions(self.store, log, self.checkpoints, self.keys, self.clock)

    @cached_property
    def exports(self) -> "Exports":
        """The exports of logs."""
        from shared.accesslog.reading.exports import Exports

        return Exports(
            self.store,
            self.reading,
            self.checkpoints,
            self._flow(MessagesFlow).log,
            self._adapters.blobs,
            self.clock,
        )
