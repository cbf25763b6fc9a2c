"""The edge: what the way in needs to admit a request or a message, and to record an answer."""

import time
from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow
from shared.composition.tenancy import TenancyFlow
from shared.ports import Blobs, Bus

if TYPE_CHECKING:
    from shared.accesslog import AccessLog
    from shared.idempotency import IdempotencyKeys
    from shared.identity import Tokens
    from shared.rate_limits import Limiter
    from shared.tenancy import Tenants


class EdgeFlow(Flow):
    """The services of the way in."""

    @cached_property
    def tokens(self) -> "Tokens":
        """The check of bearer tokens."""
        from shared.identity import Tokens

        return Tokens(self._settings.TOKEN_ISSUER, self._settings.TOKEN_AUDIENCE)

    @cached_property
    def idempotency_keys(self) -> "IdempotencyKeys":
        """The Idempotency-Keys that were used."""
        from shared.idempotency import IdempotencyKeys

        return IdempotencyKeys(self._adapters.tables, self.new_id)

    @cached_property
    def limiter(self) -> "Limiter":
        """The limit on how often a caller asks, in this process."""
        from shared.rate_limits import Limiter, Rate

        rate = Rate(self._settings.REQUESTS_PER_SECOND, self._settings.REQUEST_BURST)
        return Limiter(rate, time.monotonic)

    @property
    def tenants(self) -> "Tenants":
        """The tenants of the stamp."""
        return self._flow(TenancyFlow).tenants

    @property
    def log(self) -> "AccessLog":
        """The access log, for the record of disclosures."""
        return self._flow(MessagesFlow).log

    @property
    def blobs(self) -> Blobs:
        """Blob Storage, for what does not fit a parked copy."""
        return self._adapters.blobs

    @property
    def bus(self) -> Bus:
        """The bus, to park messages."""
        return self._adapters.bus
