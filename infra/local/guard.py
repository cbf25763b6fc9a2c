"""Ends the stack's processes when the process that started them is gone, however it went.

Linux could do this with PR_SET_PDEATHSIG, but that fires when the *thread* that started a child
ends, reaches no grandchildren, and macOS has nothing like it. A pipe works everywhere: the kernel
closes it when its last writer dies, by SIGKILL too.

Runs as a program of its own, with the pipe's reading end as standard input. Each line is a process
group: `+4711` was started, `-4711` has ended. At the end of input it kills those that are left.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def watch(lines: Iterable[str]) -> None:
    """Follow the lines to their end, then kill every process group that was not reported ended."""
    running: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            running.add(group)
        else:
            running.discard(group)
    for group in running:
        # Gone already, or (on macOS) only a zombie is left: nothing to end.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    # The guard must outlive whoever is interrupted with the terminal's keys.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch(sys.stdin)
