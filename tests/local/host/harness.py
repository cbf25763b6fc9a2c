"""Host processes for tests: start a host with an app, read the records, end the host."""

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
# Only a limit for a broken test; no test asserts a duration.
PATIENCE_SECONDS = 60.0


async def eventually[T](look: Callable[[], T]) -> T:
    """Call `look` until the result is true, and return the result."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if found := look():
                return found
            await asyncio.sleep(0.02)


class Host:
    """One `python -m infra.local.host` process and the records that its app writes.

    The sample apps append one JSON document for each call to the file in the setting RECORDS.
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
        """Standard output, with the line `ready`."""
        return (self.directory / "stdout").read_text()

    @property
    def log(self) -> str:
        """Standard error, of every start."""
        return (self.directory / "stderr").read_text()

    @property
    def gate(self) -> Path:
        """The file that waiting functions wait for."""
        return Path(self.settings["GATE"])

    @property
    def records(self) -> list[dict[str, Any]]:
        """The app's records, of every start."""
        path = Path(self.settings["RECORDS"])
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def spawn(self, *options: str) -> None:
        """Start the process without waiting."""
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
        """Start the process and return after the line `ready`."""
        self.spawn(*options)
        await eventually(lambda: "ready" in self.output or self.exit_code is not None)
        assert self.exit_code is None, self.log

    async def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> None:
        """End the process as a crash would."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def wait(self) -> int:
        """Wait for the end and return the exit code."""
        await eventually(lambda: self.exit_code is not None)
        assert self.exit_code is not None
        return self.exit_code

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()
