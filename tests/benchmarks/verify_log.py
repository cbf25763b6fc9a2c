"""Verifying an export offline, against a bare loop that hashes the same leaves.

The command runs as its user runs it, and its start counts: read the file, check every line, hash
every leaf and every node, on all processors. The bare loop has the entries in memory already, and
takes nothing but one SHA-256 over each, on one processor. Beside it, what the command takes when it
may use one processor only, the processor time of both, its memory at a tenth of the entries and at
all of them, and how many tiles an inclusion proof reads whatever the size of the log.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

ENTRIES: Final = 1_000_000
FEW: Final = 100_000
ROUNDS: Final = 5
KEY: Final = SigningKey.of_seed("logs.example/tenants/acme", bytes(range(32)))
BLOCK: Final = WIDTH * WIDTH
LARGEST: Final = 1 << 40
PROOFS: Final = 20_000


def run(step: Step) -> list[Result]:
    """Write both exports, verify them in turns with the bare loop, and count tiles."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder:
        files = {}
        for size in (FEW, ENTRIES):
            step(f"writing {size:,} entries", 0, ROUNDS)
            files[size] = _export(Path(folder) / f"{size}.ndjson", size)
        ratios, busy, times, held = [], [], [], dict[int, float]()
        for number in range(ROUNDS):
            step(f"verifying {ENTRIES:,} entries", number, ROUNDS)
            bare = _bare()
            took = _verify(files[ENTRIES])
            ratios.append(bare.seconds / took.seconds)
            busy.append(bare.processor / took.processor)
            times.append(took.seconds)
            held[ENTRIES] = took.held
        held[FEW] = _verify(files[FEW]).held
        alone = _bare().seconds / _verify(files[ENTRIES], processors=1).seconds
    mib = 1024 * 1024
    return [
        Result("verify-log", median(ratios), "of the rate of bare hashing", ">= 0.5"),
        Result("verify-log-1-cpu", alone, "of the rate of bare hashing, on one processor"),
        Result("verify-log-work", median(busy), "of the rate per second of processor time"),
        Result("verify-log-rate", ENTRIES / median(times) / 1000, "thousand entries/s"),
        Result(
            "verify-log-memory",
            held[ENTRIES] / held[FEW],
            f"of the memory at {FEW:,} entries",
            "<= 1.1",
        ),
        Result("verify-log-peak", held[ENTRIES] / mib, "MiB, all its processes"),
        *_tiles(),
    ]


@dataclass(frozen=True)
class _Taken:
    """Seconds on the clock and of processors, and bytes held at most."""

    seconds: float
    processor: float
    held: float = 0


def _entry(number: int) -> bytes:
    """An entry as long as one of an engineer's reading of an asset."""
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
            tiles = dict(full) | tree.tiles()
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


def _bare() -> _Taken:
    """What it takes to hash all leaves; making and freeing the entries does not count."""
    seconds = processor = 0.0
    for _, entries in _blocks(ENTRIES):
        started, worked = time.perf_counter(), time.process_time()
        for entry in entries:
            sha256(b"\x00" + entry).digest()
        seconds += time.perf_counter() - started
        processor += time.process_time() - worked
    return _Taken(seconds, processor)


def _verify(file: Path, processors: int | None = None) -> _Taken:
    """What the command takes from its start to its end, with all its processes."""
    # PYTHON_CPU_COUNT is what Python takes as the number of processors.
    environment = {"PYTHON_CPU_COUNT": str(processors)} if processors else {}
    command = [sys.executable, "-m", "infra.ops", "verify-log", file, "--key", str(KEY.verifier)]
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
    """Processor seconds of all children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _held(watched: psutil.Process) -> int:
    try:
        processes = (watched, *watched.children(recursive=True))
        return sum(process.memory_info().rss for process in processes)
    except psutil.NoSuchProcess:
        # One has just ended; the next sample tells.
        return 0


def _tiles() -> list[Result]:
    """Reads for an inclusion proof: full tiles, and once all partial ones, which are kept together.

    Any size up to 2^40: small ones, around the powers of two, and at random.
    """
    chance = random.Random(6962)
    sizes = [*range(1, 1025), *((1 << power) + by for power in range(10, 40) for by in (-1, 0, 1))]
    sizes += [int(2 ** chance.uniform(0, 40)) for _ in range(PROOFS - len(sizes))]
    worst, most, each = 0.0, 0, 0
    for size in [*sizes, LARGEST]:
        tiles = inclusion_tiles(chance.randrange(size), size)
        partial = [tile for tile in tiles if tile.width < WIDTH]
        reads, levels = len(tiles) - len(partial) + 1, -(-(size - 1).bit_length() // 8)
        worst, most = max(worst, reads / (levels + 1)), max(most, reads)
        each = max(each, len(tiles))
    return [
        Result("proof-reads", worst, "of ceil(log256 n) + 1, n up to 2^40", "<= 1"),
        Result("proof-reads-most", most, "reads, the partial tiles in one"),
        Result("proof-tiles-most", each, "tiles, each partial one by itself"),
    ]
