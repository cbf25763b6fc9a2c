"""The offline verification of an export, against a bare loop that hashes the same leaves.

The command runs as for a user, start included: read the file, check every line, hash every leaf and
every node, on every processor. The bare loop has the entries in memory, and computes a SHA-256 over
each entry, on one processor. Beside the rate are the rate on one processor, the rate by processor
time, the memory at a tenth of the entries and at the whole, and the reads for an inclusion proof at
any size of the log.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from infra.local.errors import StackError
from infra.local.settings import ROOT
from shared.merkle import WIDTH, Checkpoint, Edge, SigningKey, Tile, inclusion_tiles, leaf_hash
from shared.merkle.export import end_line, entry_line, header_line, tile_line
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.results import Result

ENTRIES: Final = BySize(50_000, 1_000_000, 1_000_000)
ROUNDS: Final = BySize(1, 3, 5)
KEY: Final = SigningKey.of_seed("logs.example/tenants/acme", bytes(range(32)))
BLOCK: Final = WIDTH * WIDTH
LARGEST: Final = 1 << 40
PROOFS: Final = BySize(2_000, 20_000, 20_000)
# Checking may take as long as hashing, and memory must not depend on the length of the log: the
# project's own bounds. A proof reads one tile a level ("The tlog-tiles format", C2SP: a tile has
# 256 hashes) and the entries themselves.
GOALS: Final = {"verify-log": ">= 0.5", "verify-log-memory": "<= 1.1", "proof-reads": "<= 1"}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Write two exports, verify in turns with the bare loop, and count tiles."""
    entries, rounds = ENTRIES.at(size), ROUNDS.at(size)
    few = entries // 10
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder:
        files = {}
        for count in (few, entries):
            step(f"writing {count:,} entries", 0, rounds)
            files[count] = _export(Path(folder) / f"{count}.ndjson", count)
        ratios, busy, times, held = [], [], [], dict[int, float]()
        for number in range(rounds):
            step(f"verifying {entries:,} entries", number, rounds)
            bare = _bare(entries)
            took = _verify(files[entries])
            ratios.append(bare.seconds / took.seconds)
            busy.append(bare.processor / took.processor)
            times.append(took.seconds)
            held[entries] = took.held
        held[few] = _verify(files[few]).held
        alone = _bare(entries).seconds / _verify(files[entries], processors=1).seconds
    mib = 1024 * 1024
    of_bare, growth = "of the rate of bare hashing", held[entries] / held[few]
    return [
        Result("verify-log", median(ratios), of_bare, GOALS["verify-log"]),
        Result("verify-log-1-cpu", alone, "of the rate of bare hashing, on one processor"),
        Result("verify-log-work", median(busy), "of the rate per second of processor time"),
        Result("verify-log-rate", entries / median(times) / 1000, "thousand entries/s"),
        Result("verify-log-memory", growth, f"x {few:,} entries", GOALS["verify-log-memory"]),
        Result("verify-log-peak", held[entries] / mib, "MiB, all its processes"),
        *_tiles(PROOFS.at(size)),
    ]


@dataclass(frozen=True)
class _Taken:
    """Seconds on the clock and of processors, and bytes held at most."""

    seconds: float
    processor: float
    held: float = 0


def _entry(number: int) -> bytes:
    """Return an entry as long as the entry of an engineer's reading of an asset."""
    return (
        b'{"action":"asset.read","actor":{"authenticationMethod":"mfa","id":"4f0c6a2e-9c0e-4a55-8a11-'
        b'%012d","organisation":"vendor","role":"vendor.support"},"clientAddress":"203.0.113.7",'
        b'"correlationId":"%032x","grantId":"01K%023d","id":"01M%023d","outcome":"allowed",'
        b'"purpose":"Dark preview","receivedAt":"2026-11-24T05:00:00.123Z","resource":"assets/01N'
        b'%023d","source":"/westeurope/access","tenant":"acme","ticket":"CASE-%d",'
        b'"time":"2026-11-24T05:00:00.001Z"}'
    ) % ((number,) * 6)


def _blocks(size: int) -> Iterator[tuple[int, list[bytes]]]:
    for first in range(0, size, BLOCK):
        yield first, [_entry(number) for number in range(first, min(first + BLOCK, size))]


def _export(file: Path, size: int) -> Path:
    tree = Edge.empty()
    for _, entries in _blocks(size):
        tree, _ = tree.append(map(leaf_hash, entries))
    signed = Checkpoint(KEY.name, size, tree.root()).sign([KEY])
    tree = Edge.empty()
    with file.open("wb") as out:
        out.write(header_line(signed, KEY.name, size))
        for first, entries in _blocks(size):
            leaves = [leaf_hash(entry) for entry in entries]
            tree, full = tree.append(leaves)
            tiles = {**dict(full), **tree.tiles()}
            for tile, hashes in tiles.items():
                if tile.level == 1:
                    out.write(tile_line(tile, hashes))
            for number, entry in enumerate(entries):
                place = first + number
                if place == size // WIDTH * WIDTH:
                    tile = Tile(0, place // WIDTH, size % WIDTH)
                    out.write(tile_line(tile, tiles[tile]))
                out.write(entry_line(place, entry, leaves[number]))
        out.write(end_line(size))
    return file


def _bare(entries: int) -> _Taken:
    """Hash all leaves; the making and freeing of the entries does not count."""
    seconds = processor = 0.0
    for _, block in _blocks(entries):
        started, worked = time.perf_counter(), time.process_time()
        for entry in block:
            sha256(b"\x00" + entry).digest()
        seconds += time.perf_counter() - started
        processor += time.process_time() - worked
    return _Taken(seconds, processor)


def _verify(file: Path, processors: int | None = None) -> _Taken:
    """Run the command from start to end, and measure with every process of the command."""
    # Python reads the number of processors from PYTHON_CPU_COUNT.
    environment = {"PYTHON_CPU_COUNT": str(processors)} if processors else {}
    command = [
        sys.executable,
        "-m",
        "infra.ops",
        "verify-log",
        str(file),
        "--key",
        str(KEY.verifier),
    ]
    started, worked, held = time.perf_counter(), _children(), 0
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    watched = psutil.Process(running.pid)
    while running.poll() is None:
        held = max(held, _held(watched))
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    if running.returncode:
        raise StackError(f"The export did not verify: {running.communicate()[0].decode()}")
    return _Taken(seconds, _children() - worked, held)


def _children() -> float:
    """Return the processor seconds of the ended child processes."""
    times = os.times()
    return times.children_user + times.children_system


def _held(watched: psutil.Process) -> int:
    try:
        processes = (watched, *watched.children(recursive=True))
        return sum(process.memory_info().rss for process in processes)
    except psutil.NoSuchProcess:
        # A process has just ended; the next sample tells.
        return 0


def _tiles(proofs: int) -> list[Result]:
    """Count the reads for an inclusion proof: each full tile, and all partial tiles at once.

    The partial tiles are in one row. The sizes go up to 2^40: the small sizes, the sizes around
    the powers of two, and random sizes.
    """
    chance = random.Random(6962)
    sizes = [*range(1, 1025), *((1 << power) + by for power in range(10, 40) for by in (-1, 0, 1))]
    sizes += [int(2 ** chance.uniform(0, 40)) for _ in range(proofs - len(sizes))]
    worst, most, each = 0.0, 0, 0
    for size in [*sizes, LARGEST]:
        tiles = inclusion_tiles(chance.randrange(size), size)
        partial = [tile for tile in tiles if tile.width < WIDTH]
        reads, levels = len(tiles) - len(partial) + 1, -(-(size - 1).bit_length() // 8)
        worst, most = max(worst, reads / (levels + 1)), max(most, reads)
        each = max(each, len(tiles))
    return [
        Result("proof-reads", worst, "of ceil(log256 n) + 1, n up to 2^40", GOALS["proof-reads"]),
        Result("proof-reads-most", most, "reads, the partial tiles in one read"),
        Result("proof-tiles-most", each, "tiles, each partial tile by itself"),
    ]


BENCHMARK: Final = Benchmark(
    "verify-log",
    "the offline verification of an export, against bare hashing; reads for a proof",
    run,
    BySize(2, 22, 30),
    GOALS,
)
