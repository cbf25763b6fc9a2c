"""Personal data breaches: assessment, scope, notices and the register."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.accesslog import AccessLogFlow
from shared.composition.consents import ConsentsFlow
from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.subjects import SubjectsFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.accesslog import AccessLog
    from shared.breaches.desk import BreachDesk
    from shared.breaches.notifying import Notifying
    from shared.breaches.rules import IncidentFacts, IncidentMark
    from shared.breaches.scoping.service import Scoping
    from shared.breaches.store import BreachStore
    from shared.messages.contracts import Actor


class BreachesFlow(Flow):
    """The services of breaches."""

    @cached_property
    def desk(self) -> "BreachDesk":
        """The register, and the steps of people."""
        from shared.breaches.desk import BreachDesk

        return BreachDesk(
            self._store, self.scoping, self.notifying, self._facts, self._mark, self.clock
        )

    @cached_property
    def scoping(self) -> "Scoping":
        """The computation of scopes."""
        from shared.breaches.scoping.log_reading import LogRanges
        from shared.breaches.scoping.service import Scoping

        log = self._flow(AccessLogFlow)
        return Scoping(
            self._store,
            self._flow(TenancyFlow).tenants,
            self._adapters.tables,
            LogRanges(log.store, log.checkpoints, log.proofs),
            self._flow(SubjectsFlow).records,
            self._flow(ConsentsFlow).consents,
            self.clock,
        )

    @cached_property
    def notifying(self) -> "Notifying":
        """The notices to tenants."""
        from shared.breaches.notifying import Notifying

        outbox = self._flow(MessagesFlow).outbox
        return Notifying(self._store, self._adapters.tables, outbox, self._adapters.bus, self.clock)

    @property
    def log(self) -> "AccessLog":
        """The access log, for the record of what is shown."""
        return self._flow(MessagesFlow).log

    @cached_property
    def _store(self) -> "BreachStore":
        from shared.breaches.store import BreachStore

        return BreachStore(self._adapters.tables, self._flow(MessagesFlow).outbox)

    async def _facts(self, incident: str) -> "IncidentFacts":
        from shared.breaches.rules import IncidentFacts

        seen = await self._flow(IncidentsFlow).desk.find(incident)
        found = seen.incident
        return IncidentFacts(
            id=found.id,
            summary=found.summary,
            began_at=found.began_at,
            aware_at=found.aware_at,
            opened_at=found.opened_at,
            is_critical=found.severity == "critical",
            is_drill=found.is_drill,
        )

    async def _mark(self, incident: str, mark: "IncidentMark", reason: str, actor: "Actor") -> None:
        await self._flow(IncidentsFlow).desk.assess(incident, mark, reason, actor)
