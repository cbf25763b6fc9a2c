"""Host processes for tests: start one with an app, read what it did, end it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.local.ports import LOOPBACK, Ports

ROOT = Path(__file__).parents[3]
APPS = Path(__file__).parent / "apps"
# Only a limit on how long a broken test hangs; no test asserts how long anything took.
PATIENCE_SECONDS = 60.0


async def eventually[T](look: Callable[[], T]) -> T:
    """What `look` returns once that is true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if found := look():
                return found
            await asyncio.sleep(0.02)


class Host:
    """One `python -m infra.local.host` process and the records that its app writes.

    The sample apps append one JSON document a call to the file that the setting RECORDS names.
    """

    def __init__(self, app: Path, directory: Path, settings: Mapping[str, str]) -> None:
        self.app = app
        self.directory = directory
        self.port = Ports.free().host
        self.settings = {
            "RECORDS": str(directory / "records.jsonl"),
            "GATE": str(directory / "gate"),
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def output(self) -> str:
        """What it said `ready` on: standard output."""
        return (self.directory / "stdout").read_text()

    @property
    def log(self) -> str:
        """Its standard error, of all its starts."""
        return (self.directory / "stderr").read_text()

    @property
    def gate(self) -> Path:
        """The file that functions told to wait wait for."""
        return Path(self.settings["GATE"])

    @property
    def records(self) -> list[dict[str, Any]]:
        """What the app has written so far, over all starts."""
        path = Path(self.settings["RECORDS"])
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def spawn(self, *options: str) -> None:
        """Start the process without waiting for it."""
        with (
            (self.directory / "stdout").open("wb") as out,
            (self.directory / "stderr").open("ab") as err,
        ):
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "infra.local.host"),
                    *("--app", str(self.app), "--port", str(self.port), *options),
                ],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    async def start(self, *options: str) -> None:
        """Start the process and return when it says that it is ready."""
        self.spawn(*options)
        await eventually(lambda: "ready" in self.output or self.exit_code is not None)
        assert self.exit_code is None, self.log

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> None:
        """End it as a crash would."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def wait(self) -> int:
        """Its exit code once it has ended."""
        await eventually(lambda: self.exit_code is not None)
        assert self.exit_code is not None
        return self.exit_code

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()
