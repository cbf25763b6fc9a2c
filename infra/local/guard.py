"""End the stack's processes after any end of the process that started the stack.

Linux has PR_SET_PDEATHSIG for the purpose. But the signal fires when the *thread* that started a
child ends, and reaches no grandchildren. macOS has no equivalent. A pipe works everywhere: the
kernel closes the pipe when the last writer dies, by SIGKILL too.

The guard is a program of its own, with the pipe's reading end as standard input. Each line is a
process group: `+4711` was started, `-4711` has ended. At the end of input the guard kills the
remaining groups.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def watch(lines: Iterable[str]) -> None:
    """Follow the lines to the end, then kill every process group not reported as ended."""
    running: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            running.add(group)
        else:
            running.discard(group)
    for group in running:
        # The group is gone already, or (on macOS) only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    # The guard must outlive a starter interrupted with the terminal's keys.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch(sys.stdin)
