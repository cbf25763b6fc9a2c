"""Memory: how far the host's process rises above idle while a file of 1 GiB, or 4, is taken in.

The file goes up through the SAS that the app signed, with `azure-storage-blob`; the blob
trigger, the `intake` queue and the intake do the rest, until the upload has been filed and removed.
What is watched is the whole process of the host: the app, Microsoft's runtime library and the
host's own triggers.

There are two readings. *Fresh* is above a host that has just started and served nothing, so that
every library which the flow imports on its way counts: the goal holds for this one, and for each
shape of file. *Again* is the film a second time to the same process, and so what the file itself
costs.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psutil
from azure.storage.blob import BlobClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.benchmarks import files
from tests.benchmarks.client import Portal
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result
from tests.benchmarks.watch import Watch

GOAL: Final = "<= 96"
SETTLE_SECONDS: Final = 2.0
GIVE_UP_SECONDS: Final = 600.0
# Each shape, how to make it, its size in GiB, and the verdict that it must come to.
SHAPES: Final[Mapping[str, tuple[Callable[[Path, int], Path], int, str]]] = {
    "film": (files.film, 1, "clean"),
    "long-film": (files.film, 4, "clean"),
    "picture": (files.giant_picture, 1, "clean"),
    # Larger than what is looked into, and so never cleared.
    "archive": (files.archive, 1, "refused"),
}
# What the largest needs on disk: itself, and what Azurite keeps of it, with as much to spare.
DISK_NEEDED: Final = 3 * 4 * files.GIB


def run(step: Step) -> list[Result]:
    """Upload a file of each shape to a fresh host, and the film a second time."""
    results = []
    (ROOT / "build").mkdir(exist_ok=True)
    if shutil.disk_usage(ROOT / "build").free < DISK_NEEDED:
        raise StackError(f"The benchmark of memory needs {DISK_NEEDED // files.GIB} GiB of disk.")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder,
        Stack(Path(folder) / "stack") as stack,
        Portal(stack) as portal,
    ):
        portal.register()
        for number, (shape, (make, size, verdict)) in enumerate(SHAPES.items()):
            step(f"{shape}: making it", number, len(SHAPES))
            file = make(Path(folder) / shape, size * files.GIB)
            readings = ("fresh", "again") if shape == "film" else ("fresh",)
            uploads = {reading: portal.upload(f"{reading}/{shape}") for reading in readings}
            # A host that has done nothing yet: all that the portal needed of it is asked.
            stack.kill("host")
            stack.start_process("host")
            for reading, upload in uploads.items():
                step(f"{shape}: uploading it, {reading}", number, len(SHAPES))
                above = _above_idle(stack, portal, upload, file)
                goal = GOAL if reading == "fresh" else None
                results.append(
                    Result(
                        f"memory-{shape}-{reading}", above, f"MiB above idle for {size} GiB", goal
                    )
                )
            _check(portal, shape, [verdict] * len(readings))
            file.unlink()
    return results


def _above_idle(stack: Stack, portal: Portal, upload: BlobClient, file: Path) -> float:
    pid = stack.pid("host")
    _settle(pid)
    with Watch(pid) as watch:
        with file.open("rb") as content, upload:
            upload.upload_blob(content)
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while portal.waiting():
            if time.monotonic() > give_up:
                raise StackError(f"An upload was not filed in {GIVE_UP_SECONDS:.0f} seconds.")
            time.sleep(0.2)
        # What follows the filing, such as the entry in the tenant's log, counts too.
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
    """Nothing is measured by an upload that went astray."""
    filed = [asset["verdict"] for asset in portal.assets() if asset["path"].endswith(f"/{shape}")]
    if filed != verdicts:
        raise StackError(f"The uploads of a {shape} came to {filed}, not to {verdicts}.")
