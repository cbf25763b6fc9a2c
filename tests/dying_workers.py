"""Workers that are killed in the midst of their work; `tests.intake.dying_worker` is one."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from infra.local.settings import ROOT

type Do = Callable[..., Awaitable[int | None]]


@asynccontextmanager
async def dying_workers(
    count: int, module: str, settings: Mapping[str, str], *arguments: str
) -> AsyncIterator[Do]:
    """Start workers of a module; `await do(event, steps)` has one work, to be killed at that step.

    `do` returns how many steps the work took, or None when the worker's child was killed. Without
    `steps` nothing is killed. `deliveries` counts the deliveries of the event.
    """
    free: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, json.dumps(settings), *arguments),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(count)
    ]
    for worker in workers:
        free.put_nowait(worker)

    async def do(event: object, steps: int = -1, deliveries: int = 1) -> int | None:
        worker = await free.get()
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            job = {"event": event, "steps": steps, "deliveries": deliveries}
            worker.stdin.write(json.dumps(job).encode() + b"\n")
            answer = await worker.stdout.readline()
            assert answer, "the worker failed; see what it wrote"
            taken: int | None = json.loads(answer)
            return taken
        finally:
            free.put_nowait(worker)

    yield do
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.close()
        await worker.wait()
