"""Feeding a pass with each chunk on a worker thread, while the next one is on its way."""

import asyncio
from collections.abc import AsyncIterator

from shared.intake.inspection import Pass
from shared.intake.rules import Inspection


async def run(inspecting: Pass, chunks: AsyncIterator[bytes]) -> Inspection:
    """Feed `inspecting` with all of `chunks` and return what it found.

    Two chunks are held at a time, the one that is looked at and the one that comes in. When this
    returns or raises, cancelled or not, no thread is at work on the pass any more.
    """
    work: asyncio.Future[Inspection | None] | None = None
    found = None
    try:
        async for chunk in chunks:
            if work is not None:
                await asyncio.shield(work)
            work = asyncio.ensure_future(asyncio.to_thread(_take, inspecting, chunk))
        if work is not None:
            found = await asyncio.shield(work)
    finally:
        # Where reading failed, the chunk before may still be looked at; that failure is the one
        # to tell of.
        if work is not None:
            await asyncio.gather(work, return_exceptions=True)
    return await asyncio.to_thread(inspecting.finish) if found is None else found


def _take(inspecting: Pass, chunk: bytes) -> Inspection | None:
    """Feed a chunk; with the last one, finish, so that a photo takes one thread and one turn."""
    inspecting.feed(chunk)
    return inspecting.finish() if inspecting.is_whole else None
