"""The app itself: the health of the services beneath."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from shared.composition.core import Flow
from shared.errors import UnavailableError

_PING_SECONDS = 5.0


class Check(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of a service, and the time of the answer in milliseconds."""

    reachable: bool
    latency_ms: float


class SystemFlow(Flow):
    """The health of the app."""

    async def readiness(self) -> Mapping[str, Check]:
        """Ask storage, bus and vault, at the same time, for a sign of life."""
        adapters = self._adapters
        pings = {
            "storage": adapters.blobs.ping,
            "bus": adapters.bus.ping,
            "vault": adapters.secrets.ping,
        }
        checks = await asyncio.gather(*(_check(ping) for ping in pings.values()))
        return dict(zip(pings, checks, strict=True))


async def _check(ping: Callable[[], Awaitable[None]]) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await ping()
        reachable = True
    except (UnavailableError, TimeoutError):
        reachable = False
    return Check(reachable, round((time.perf_counter() - started) * 1000, 1))
