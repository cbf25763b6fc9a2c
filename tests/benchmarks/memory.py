"""Memory: the rise of the host's process above idle during the intake of a large file.

The file goes up through the SAS that the app signed, with `azure-storage-blob`. The blob trigger,
the `intake` queue and the intake do the rest, until the upload is filed and removed. The whole
process of the host is watched: the app, Microsoft's runtime library and the host's own triggers.

*Fresh* is above a host that has just started and served nothing. Every library of the flow counts.
The goal holds for each shape of file. *Again* is the film a second time in the same process: the
cost of the file itself.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from azure.storage.blob import BlobClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.benchmarks import files
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.client import Portal
from tests.benchmarks.results import Result
from tests.benchmarks.watch import Watch

SETTLE_SECONDS: Final = 2.0
GIVE_UP_SECONDS: Final = 600.0


class Shape(NamedTuple):
    """A shape of file: maker, size in MiB (0 to leave out the shape), and due verdict."""

    make: Callable[[Path, int], Path]
    size: BySize[int]
    verdict: str


SHAPES: Final[Mapping[str, Shape]] = {
    "film": Shape(files.film, BySize(64, 512, 1024), "clean"),
    "long-film": Shape(files.film, BySize(0, 1024, 4096), "clean"),
    "picture": Shape(files.giant_picture, BySize(0, 256, 1024), "clean"),
    # An archive above 512 MiB has no copy on the disk: the scan reads its members from storage.
    "archive": Shape(files.archive, BySize(0, 640, 1024), "clean"),
}
# MiB, whatever the size of the file: the project's own bound, for instances of 2,048 MB that
# process several files at once ("Flex Consumption plan hosting", learn.microsoft.com).
GOALS: Final = {f"memory-{shape}-fresh": "<= 96" for shape in SHAPES}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Upload a file of each shape to a fresh host, and the film a second time."""
    shapes = {name: shape for name, shape in SHAPES.items() if shape.size.at(size)}
    (ROOT / "build").mkdir(exist_ok=True)
    # The largest file, Azurite's copy, and the same to spare.
    needed = 3 * max(shape.size.at(size) for shape in shapes.values())
    if shutil.disk_usage(ROOT / "build").free < needed * files.MIB:
        raise StackError(f"The benchmark of memory needs {needed:,} MiB of disk.")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder,
        Stack(Path(folder) / "stack") as stack,
        Portal(stack) as portal,
    ):
        portal.register()
        for number, (name, shape) in enumerate(shapes.items()):
            mib = shape.size.at(size)
            step(f"{name}: making the file", number, len(shapes))
            file = shape.make(Path(folder) / name, mib * files.MIB)
            readings = ("fresh", "again") if name == "film" else ("fresh",)
            uploads = {
                reading: portal.upload(f"{reading}/{name}", mib * files.MIB) for reading in readings
            }
            # The portal has its answers: next comes a host without a served request.
            stack.kill("host")
            stack.start_process("host")
            for left, (reading, upload) in zip(
                reversed(range(len(uploads))), uploads.items(), strict=True
            ):
                step(f"{name}: uploading, {reading}", number, len(shapes))
                above = _above_idle(stack, portal, upload, file, left)
                figure, unit = f"memory-{name}-{reading}", f"MiB above idle for {mib:,} MiB"
                yield Result(figure, above, unit, GOALS.get(figure))
            _check(portal, name, [shape.verdict] * len(readings))
            file.unlink()


def _above_idle(stack: Stack, portal: Portal, upload: BlobClient, file: Path, left: int) -> float:
    """Send `file`, and return the rise until no more than `left` permitted uploads wait."""
    pid = stack.pid("host")
    _settle(pid)
    with Watch(pid) as watch:
        portal.send(upload, file)
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while portal.waiting() > left:
            if time.monotonic() > give_up:
                raise StackError(f"An upload was not filed in {GIVE_UP_SECONDS:.0f} seconds.")
            time.sleep(0.2)
        # The work after the filing, such as the entry in the tenant's log, counts too.
        _settle(pid)
    return watch.above_idle


def _settle(pid: int) -> None:
    """Return when the process has been idle for a while."""
    process = psutil.Process(pid)
    while True:
        before = sum(process.cpu_times()[:2])
        time.sleep(SETTLE_SECONDS)
        if sum(process.cpu_times()[:2]) - before < SETTLE_SECONDS / 10:
            return


def _check(portal: Portal, shape: str, verdicts: list[str]) -> None:
    """Raise StackError unless the uploads of a shape came to the due verdicts."""
    filed = [asset["verdict"] for asset in portal.assets() if asset["path"].endswith(f"/{shape}")]
    if filed != verdicts:
        raise StackError(f"The uploads of a {shape} came to {filed}, not to {verdicts}.")


BENCHMARK: Final = Benchmark(
    "memory",
    "the rise of the host's memory during the intake of a large file",
    run,
    BySize(48, 110, 260),
    GOALS,
)
