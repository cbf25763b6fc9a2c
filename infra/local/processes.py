"""Starting and ending the stack's processes, with no process left behind."""

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

# Each child reports its own process group to the guard before the child becomes its program. The
# starter can therefore die at any moment and leave no child unknown to the guard. The guard's pipe
# is the child's standard input, which the program then gets as /dev/null.
REGISTER_AND_RUN = 'echo "+$$" >&0 && exec "$@" </dev/null'


class Guard:
    """The guard process (`guard.py`) and the pipe to the guard; a context manager."""

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
        """Report the end of a process group, before its number can be used again."""
        os.write(self._writing, f"-{group}\n".encode())


@dataclass
class Program:
    """One program of the stack: the command, and the probe for readiness."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    is_ready: Callable[[], bool]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """The running process's id; None when the process does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """True for a live process. A zombie counts as ended; `end` collects the zombie."""
        if self._process is None or self._process.returncode is not None:
            return False
        state = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return state is None

    def start(self, guard: Guard) -> None:
        """Start the process in a group of its own; `wait_ready` waits until the program serves."""
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

        Raises StackError with the end of the log when the program ends first or takes too long.
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
        """Send SIGTERM to the process without waiting; `end` waits."""
        if self._process is not None and self.running:
            os.kill(self._process.pid, signal.SIGTERM)

    def end(self, guard: Guard, *, grace: float = 0.0) -> None:
        """Wait `grace` seconds for the process to end by itself, then kill the whole group."""
        if self._process is None:
            return
        deadline = time.monotonic() + grace
        while self.running and time.monotonic() < deadline:
            time.sleep(PROBE_SECONDS)
        # Before the process is collected: until then no new group can get the number.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        guard.ended(self._process.pid)
        self._process = None

    def log_tail(self) -> str:
        """Return the end of the program's log, and the path of the whole log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *lines[-LOG_TAIL_LINES:]])
