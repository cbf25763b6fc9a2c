"""Eight processes append to one log, and are killed again and again: one sound log all the same."""

import asyncio
import itertools
import json
import os
import random
import signal
import sys
from pathlib import Path

from shared.accesslog import LogStore
from tests.accesslog.logs import SECRET, assert_sound, audited

ROOT = Path(__file__).parents[2]
PROCESSES = 8
# Takes each process at least 30 commits.
EVENTS = 300
# At which commit of its own a process is killed, and how many milliseconds after sending it: before
# it could arrive, on its way, and (as a rule) after the answer.
KILLS = [(1, 0), (5, 4), (2, 100)]
NEVER = (0, 0)


async def test_eight_processes_that_are_killed_make_one_sound_log(stack, kept, tenant, tmp_path):
    store = LogStore(kept, SECRET)
    environment = os.environ | {"STORAGE": stack.info["connection_strings"]["storage"]}
    chosen = random.Random(1)

    async def start(number, kill):
        source, file = f"source-{number}", tmp_path / str(number)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.accesslog.append_child"),
            *(tenant, source, str(EVENTS), str(file), *map(str, kill)),
            cwd=ROOT,
            env=environment,
        )
        return await child.wait()

    async def run(number):
        """Run one, again after each kill, until it has appended all."""
        for kill in chosen.sample(KILLS, len(KILLS)):
            assert await start(number, kill) == -signal.SIGKILL
        assert await start(number, NEVER) == 0

    await asyncio.gather(*(run(number) for number in range(PROCESSES)))
    kept = [json.loads(payload) for payload in await assert_sound(store, tenant)]
    kept.sort(key=lambda entry: entry["source"])
    sources = itertools.groupby(kept, key=lambda entry: entry["source"])
    assert {source: [entry["id"] for entry in mine] for source, mine in sources} == {
        f"source-{number}": [str(event) for event in range(EVENTS)] for number in range(PROCESSES)
    }
    assert list((await audited(store, tenant)).findings) == []
