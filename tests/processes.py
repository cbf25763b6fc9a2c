"""Whether processes that a test does not own have ended."""

import time
from collections.abc import Iterable

import psutil

_PATIENCE_SECONDS = 30.0


def has_ended(process: psutil.Process) -> bool:
    """Whether a process runs no more: it is gone, or a zombie of which the last thread has ended.

    A zombie waits for its parent. One whose parent was killed waits for the machine's first
    process, which takes its time over it and in a container may never do it.
    """
    try:
        return not process.is_running() or (
            process.status() == psutil.STATUS_ZOMBIE and process.num_threads() == 1
        )
    except psutil.NoSuchProcess:  # On macOS also a zombie, which has no threads to count.
        return True


def still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended by themselves after a while."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    left = list(processes)
    while (left := [each for each in left if not has_ended(each)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
