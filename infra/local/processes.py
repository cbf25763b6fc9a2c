"""Starting and ending the stack's processes so that none is ever left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import guard
from infra.local.errors import StackError

START_SECONDS = 90.0
STOP_SECONDS = 10.0
PROBE_SECONDS = 0.05
LOG_TAIL_LINES = 20

# Each child tells the guard its own process group before it becomes the program it is to run, so
# no moment exists in which the starter could die and leave a child that the guard does not know.
# The guard's pipe is handed over as standard input, which the program then gets as /dev/null.
REGISTER_AND_RUN = 'echo "+$$" >&0 && exec "$@" </dev/null'


class Guard:
    """The guard process (`guard.py`) and the pipe it listens on; a context manager."""

    def __enter__(self) -> Self:
        reading, self._writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._writing)
            raise
        finally:
            os.close(reading)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._writing)
        self._process.wait()

    @property
    def pipe(self) -> int:
        """The file descriptor on which a child registers itself."""
        return self._writing

    def ended(self, group: int) -> None:
        """Say that nothing is left of this process group, before its number can be used again."""
        os.write(self._writing, f"-{group}\n".encode())


@dataclass
class Program:
    """One program of the stack: how to run it, and how to tell that it serves."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    is_ready: Callable[[], bool]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """The running process's id, None when it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process is alive. A zombie is not; it is left for `end` to collect."""
        if self._process is None or self._process.returncode is not None:
            return False
        state = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return state is None

    def start(self, guard: Guard) -> None:
        """Start the process in a group of its own; `wait_ready` tells when it serves."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", REGISTER_AND_RUN, self.name, *self.command],
                stdin=guard.pipe,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=dict(self.environment),
                # The terminal's Ctrl-C must reach the starter alone, which then stops in order.
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return once the program serves.

        Raises StackError with the end of its log when it ends first or takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not self.running:
                raise StackError(f"{self.name} ended while it started.\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} was not ready after {START_SECONDS:.0f} seconds.\n"
                    f"{self.log_tail()}"
                )
            time.sleep(PROBE_SECONDS)

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process, which may take its time; `end` waits for it."""
        if self._process is not None and self.running:
            os.kill(self._process.pid, signal.SIGTERM)

    def end(self, guard: Guard, *, grace: float = 0.0) -> None:
        """Wait `grace` seconds for the process to end by itself, then kill its whole group."""
        if self._process is None:
            return
        deadline = time.monotonic() + grace
        while self.running and time.monotonic() < deadline:
            time.sleep(PROBE_SECONDS)
        # Before the process is collected: until then nothing else can get its group's number.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        guard.ended(self._process.pid)
        self._process = None

    def log_tail(self) -> str:
        """The end of the program's log, with where to find the whole of it."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *lines[-LOG_TAIL_LINES:]])
