"""Rounds over the logs of every tenant."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from shared.accesslog.integrity.watch import IntegrityWatch
from shared.accesslog.proofs.checkpoints import Checkpoints
from shared.accesslog.proofs.keys import KeyChangedError
from shared.accesslog.storage.errors import LogDamagedError
from shared.errors import kind_and_place

_AT_ONCE: Final = 8

logger = logging.getLogger("vouchsafe.accesslog")


class RoundFailedError(Exception):
    """A round failed for some tenants; the app's log has the reasons."""


async def publish_all(
    tenants: AsyncIterator[str], checkpoints: Checkpoints, watch: IntegrityWatch
) -> None:
    """Publish a checkpoint of each log that has grown, and verify a damaged log at once.

    A log that cannot be signed is reported, even without a finding. A changed public key in
    `evidence` is reported too, and an HMAC key of events that the vault lacks.
    """

    async def publish(tenant: str) -> None:
        await watch.verify_event_key(tenant)
        try:
            if await checkpoints.has_grown(tenant):
                await checkpoints.publish(tenant)
        except LogDamagedError as error:
            if not await watch.verify(tenant):
                await watch.report_unsigned(tenant, error.index)
        except KeyChangedError as error:
            await watch.report_changed_key(error.version)

    await _each(tenants, publish)


async def watch_all(tenants: AsyncIterator[str], watch: IntegrityWatch, *, whole: bool) -> None:
    """Verify the new entries of each log, or whole logs."""

    async def verify(tenant: str) -> None:
        for finding in await watch.verify(tenant, whole=whole):
            logger.error("log of %s: %s at entry %d", tenant, finding.kind, finding.first)

    await _each(tenants, verify)


async def _each(tenants: AsyncIterator[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do `work` for every tenant, some tenants at a time; a failure delays no further tenant.

    Raises RoundFailedError after the last tenant.
    """
    slots = asyncio.Semaphore(_AT_ONCE)
    failed = 0

    async def do(tenant: str) -> None:
        nonlocal failed
        try:
            await work(tenant)
        except Exception as error:  # noqa: BLE001 - counted, and raised in the end
            failed += 1
            logger.error("log of %s: %s", tenant, kind_and_place(error))  # noqa: TRY400 - see there
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        async for tenant in tenants:
            await slots.acquire()
            tasks.create_task(do(tenant))
    if failed:
        raise RoundFailedError(f"{failed} logs")
