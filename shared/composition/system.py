"""The app itself: the health of the services beneath."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property

import msgspec

from shared.composition.core import Flow
from shared.errors import UnavailableError

_PING_SECONDS = 5.0
# An answer serves every request of this time, so that no flood of requests reaches a service.
_FRESH_SECONDS = 3.0


class Check(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of a service, and the time of the answer in milliseconds."""

    reachable: bool
    latency_ms: float


class SystemFlow(Flow):
    """The health of the app."""

    _kept: tuple[float, Mapping[str, Check]] | None = None

    async def readiness(self) -> Mapping[str, Check]:
        """Return the answers of storage, bus and both vaults, a few seconds old at most.

        Requests that come together wait for one round of questions.
        """
        async with self._asking:
            if self._kept is None or time.monotonic() - self._kept[0] >= _FRESH_SECONDS:
                checks = await self._ask()
                self._kept = time.monotonic(), checks
            return self._kept[1]

    async def _ask(self) -> Mapping[str, Check]:
        """Ask storage, bus and both vaults, at the same time, for what the app needs of each."""
        adapters = self._adapters
        needed = _needed_secrets()
        pings: dict[str, Callable[[], Awaitable[None]]] = {
            "storage": adapters.blobs.ping,
            "bus": adapters.bus.ping,
            "vault": lambda: adapters.secrets.ping(needed),
            "data-key-vault": adapters.data_keys.ping,
        }
        checks = await asyncio.gather(*(_check(ping) for ping in pings.values()))
        return dict(zip(pings, checks, strict=True))

    @cached_property
    def _asking(self) -> asyncio.Lock:
        return asyncio.Lock()


def _needed_secrets() -> Sequence[str]:
    """Return the names of the secrets without which some request or message fails."""
    from shared.accesslog.proofs import keys
    from shared.accesslog.storage import event_secret

    return keys.SECRET, event_secret.SECRET


async def _check(ping: Callable[[], Awaitable[None]]) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await ping()
        reachable = True
    except (UnavailableError, TimeoutError):
        reachable = False
    return Check(reachable, round((time.perf_counter() - started) * 1000, 1))
