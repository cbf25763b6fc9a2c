"""The memory of a process and of the children at work."""

import threading
from pathlib import Path
from typing import Self

import psutil

MIB = 1024 * 1024
SAMPLE_SECONDS = 0.01


class Watch:
    """Watch the resident memory of a process and of every child; a context manager.

    `idle` is their memory at the beginning of the watch. `peak` is the greater of
    two figures. A sampler looks every 10 ms. On Linux the kernel's own high-water mark of the
    process misses nothing between two samples.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self.idle = 0.0
        """MiB."""
        self.peak = 0.0
        """MiB; final after the end of the watch."""

    def __enter__(self) -> Self:
        self.idle = self.peak = self._held()
        reset = Path(f"/proc/{self._process.pid}/clear_refs")
        self._marked = reset.exists()
        if self._marked:
            # 5 resets the high-water mark to the memory of the moment: proc(5).
            reset.write_text("5")
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._sampler.join()
        if self._marked:
            self.peak = max(self.peak, self._mark())

    @property
    def above_idle(self) -> float:
        """Return the peak above `idle`, in MiB."""
        return self.peak - self.idle

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, self._held())

    def _held(self) -> float:
        held = 0
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                held += process.memory_info().rss
            except psutil.NoSuchProcess:
                # The child has just ended and holds nothing.
                continue
        return held / MIB

    def _mark(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
