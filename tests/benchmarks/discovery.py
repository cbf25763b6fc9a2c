"""Discovery: the search of sealed records for a person, against bare paging and decryption.

The records are those of photos with a dozen texts, in one tenant's partition of Azurite's table.
*Bare* pages the same rows with `azure-data-tables` and opens each record with AES-256-GCM, and
compares nothing. The search also matches five identifiers, in ranges as the messages on the queue
do. Both are measured in wall time, by turns, and the medians are compared. *Growth* is the search's
processor time for a record in the large library above that in the small library: Azurite's own time
for a page grows with the table. *Memory* is the highest memory of this process during the large
search above that during the small search. *Processes* is the time of one process above the time of
two processes that take the ranges of the large library side by side, as two hosts take the
messages.
"""

import asyncio
import multiprocessing
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
from azure.data.tables.aio import TableServiceClient

from infra.local.stack import Stack
from shared.assets.rules import Asset
from shared.assets.service import ASSETS, record_row
from shared.azure.blobs import AzureBlobs
from shared.azure.tables import AzureTables
from shared.erasures.ranges import BATCH, Range, rest_of, whole
from shared.ids import first_id, key, new_id
from shared.metadata.worker.result import MetadataText
from shared.ports import Row, Upsert
from shared.subjects.matching import Matcher
from shared.subjects.records import Records
from shared.subjects.sealing import unseal
from shared.subjects.search import Search
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.results import Result
from tests.compositions import OneDataKey

FEW: Final = BySize(500, 1_000, 1_000)
MANY: Final = BySize(2_000, 20_000, 100_000)
ROUNDS: Final = BySize(1, 1, 3)
TRANSACTION: Final = 100
BEGIN: Final = datetime(2025, 1, 1, tzinfo=UTC)
NAMES: Final = ("Quirina Oyelaran", "Oyelaran, Q.", "q.oyelaran@example.org", "Rina", "Jo Bright")
GIVEN: Final = ("Ada", "Bo", "Chen", "Dara", "Emil", "Fenna", "Goran", "Hana", "Ivo", "Jun")
SURNAMES: Final = ("Abel", "Brandt", "Castro", "Dietz", "Eder", "Faber", "Gruber", "Huang")
GOALS: Final = {
    "discovery": "<= 2",
    "discovery-growth": "<= 1.2",
    "discovery-memory": "<= 1.1",
    "discovery-processes": ">= 1.3",
}
SHARES: Final = 8


@dataclass(frozen=True)
class Searched:
    """The search of a library: seconds of wall and of processor, finds, and the peak in MiB."""

    seconds: float
    processor: float
    found: int
    peak: float


def run(step: Step, size: Size) -> Iterable[Result]:
    """Fill two libraries, and search each; bare paging and the search take turns at the large."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), in_memory=True, processes=["azurite"]) as stack,
    ):
        return asyncio.run(_measure(stack.info["connection_strings"]["storage"], step, size))


async def _measure(storage: str, step: Step, size: Size) -> list[Result]:
    tables, blobs = AzureTables(storage), AzureBlobs(storage)
    try:
        records = Records(blobs, OneDataKey())
        few, many, rounds = FEW.at(size), MANY.at(size), ROUNDS.at(size)
        for tenant, count in (("few", few), ("many", many)):
            await _fill(tables, records, tenant, count, step)
        search = Search(tables, records)
        small = await _search(search, "few", few)
        searched, bare = [], []
        for turn in range(rounds):
            step("searching and paging", turn, rounds)
            searched.append(await _search(search, "many", many))
            bare.append(await _bare(storage, "many", many))
        step("searching in one process and in two", 0, 1)
        alone, together = [await asyncio.to_thread(_side_by_side, storage, many, n) for n in (1, 2)]
        large = searched[0]
        ratio = statistics.median(one.seconds for one in searched) / statistics.median(bare)
        growth = (large.processor / many) / (small.processor / few)
        return [
            Result("discovery", ratio, "", GOALS["discovery"]),
            Result("discovery-growth", growth, "", GOALS["discovery-growth"]),
            Result("discovery-memory", large.peak / small.peak, "", GOALS["discovery-memory"]),
            Result("discovery-processes", alone / together, "", GOALS["discovery-processes"]),
            Result("discovery-rate", many / large.seconds, "records/s"),
        ]
    finally:
        await tables.close()
        await blobs.close()


async def _fill(tables: AzureTables, records: Records, tenant: str, count: int, step: Step) -> None:
    chosen = random.Random(7)
    for first in range(0, count, TRANSACTION):
        step(f"filling {count:,} records", first, count)
        rows = [
            await _row(records, tenant, number, chosen)
            for number in range(first, min(first + TRANSACTION, count))
        ]
        await tables.commit(ASSETS, [Upsert(row) for row in rows])


async def _row(records: Records, tenant: str, number: int, chosen: random.Random) -> Row:
    at = BEGIN + timedelta(seconds=number * 60)
    asset = Asset(
        id=new_id(at),
        tenant=tenant,
        path=f"shoots/{number // 500:04}/IMG_{number:06}.jpg",
        verdict="clean",
        size=1,
        uploaded_at=at,
        filed_at=at,
    )
    name = f"{chosen.choice(GIVEN)} {chosen.choice(SURNAMES)}"
    # One in a thousand names the person.
    shown = (
        NAMES[0] if number % 1000 == 500 else f"{chosen.choice(GIVEN)} {chosen.choice(SURNAMES)}"
    )
    texts = [
        MetadataText("dc:creator", name),
        MetadataText("Exif:Artist", name),
        MetadataText("IPTC:2:80 By-line", name),
        MetadataText("dc:description", f"{shown} opens the fair in the old town, with guests"),
        MetadataText("dc:title", f"The fair, day {number % 9}"),
        MetadataText("dc:subject", "fair"),
        MetadataText("dc:subject", "old town"),
        MetadataText("photoshop:City", "Basel"),
        MetadataText("dc:rights", f"© {2000 + number % 26} Example Pictures"),
        MetadataText("Exif:Make", "Example"),
        MetadataText("Exif:Model", "Example One"),
        MetadataText("xmp:CreatorTool", "Example Editor 4.2"),
    ]
    columns = await records.seal(asset, texts, None, "1")
    return Row(key(tenant), record_row(asset.id), columns)


async def _search(search: Search, tenant: str, count: int) -> Searched:
    """Search a library range by range, as the messages do."""
    begun, used = time.perf_counter(), time.process_time()
    matcher = Matcher(NAMES)
    waiting: list[Range] = [whole(BEGIN + timedelta(seconds=count * 60))]
    read = found = 0
    while waiting:
        one = waiting.pop()
        searched = await search.read(tenant, matcher, after=one.after, upto=one.upto, most=BATCH)
        read += searched.assets
        found += len(searched.found)
        if not searched.is_whole:
            waiting += rest_of(one, searched.last, searched.assets)
    # Every record is searched once, and every record that names the person is found.
    assert read == count, (read, count)
    assert found >= len(range(500, count, 1000)), found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Searched(time.perf_counter() - begun, time.process_time() - used, found, peak)


def _side_by_side(storage: str, count: int, processes: int) -> float:
    """Search the large library in so many processes; return the seconds, without their start."""
    step = timedelta(seconds=count * 60) / SHARES
    bounds = [first_id(BEGIN + step * place) for place in range(SHARES)]
    shares = list(pairwise([*bounds, first_id(BEGIN + timedelta(seconds=(count + 60) * 60))]))
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        # Each process loads its libraries first.
        list(pool.map(_share, [(storage, "0", "1")] * 2 * processes))
        begun = time.perf_counter()
        found = sum(pool.map(_share, [(storage, *share) for share in shares]))
        seconds = time.perf_counter() - begun
    assert found >= len(range(500, count, 1000)), found
    return seconds


def _share(share: tuple[str, str, str]) -> int:
    """Search one range of the large library, as a message; return the number of finds."""
    storage, after, upto = share

    async def search() -> int:
        tables, blobs = AzureTables(storage), AzureBlobs(storage)
        try:
            searching, matcher = Search(tables, Records(blobs, OneDataKey())), Matcher(NAMES)
            found = await searching.read("many", matcher, after=after, upto=upto, most=10**9)
            return len(found.found)
        finally:
            await tables.close()
            await blobs.close()

    return asyncio.run(search())


async def _bare(storage: str, tenant: str, count: int) -> float:
    """Page and open the same rows; return the seconds."""
    data_key = (await OneDataKey().newest(tenant)).key

    def opened(sealed: bytes, row: str) -> bytes:
        return unseal(data_key, sealed, f"{tenant}\n{row.rpartition('|')[2]}".encode())

    begun = time.perf_counter()
    read = 0
    async with TableServiceClient.from_connection_string(storage) as service:
        pages = service.get_table_client(ASSETS).query_entities(
            "PartitionKey eq @tenant and RowKey ge 'record|' and RowKey lt 'record}'",
            parameters={"tenant": key(tenant)},
            results_per_page=1000,
        )
        async for page in pages.by_page():
            async for row in page:
                msgspec.msgpack.decode(opened(row["sealed"], row["RowKey"]))
                read += 1
    assert read == count, (read, count)
    return time.perf_counter() - begun


BENCHMARK: Final = Benchmark(
    name="discovery",
    measures="the search of sealed records for a person, against bare paging and decryption",
    run=run,
    seconds=BySize(12, 60, 380),
    goals=GOALS,
)
