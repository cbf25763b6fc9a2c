"""Consents: the consent grants of every tenant."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.consents import Consents


class ConsentsFlow(Flow):
    """The services of consents."""

    @cached_property
    def consents(self) -> "Consents":
        """The consent grants of every tenant."""
        from shared.consents import Consents

        return Consents(self._adapters.tables, self._flow(MessagesFlow).outbox, self.clock)
