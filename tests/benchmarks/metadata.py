"""Metadata: the fields read, held against exiftool; and the cost of a process for the reading.

The judged files are the samples, a file for each field of XMP in the tests, and written copies of
the samples. exiftool itself writes every field of the format into a copy. The agreement is the
share of identifiers read by both programs, of the identifiers read by either. The app's own rules
(`worker.fields`) part a text of exiftool into identifiers, as parting is meaning and not
reading. The sample with broken metadata is left out. Needs Debian's libimage-exiftool-perl; without
the package the figure says so.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from infra.local.settings import ROOT
from shared.metadata.collector import Collector
from shared.metadata.parsing import read
from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.pictures import read_picture
from shared.scanning.content_type import HEAD_SIZE, detect
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.exiftool_tags import TAGS
from tests.benchmarks.results import Result
from tests.metadata.test_block_sizes import tiff_with_xmp
from tests.metadata.test_iptc_exif_xmp_fields import IN_XMP, xmp

# exiftool is the judge that archivists trust (exiftool.org): every field alike, but for the known
# differences in `_EXPLAINED`. The project's own bounds.
GOAL_OF_A_FIELD: Final = ">= 1"
GOALS: Final = {"metadata-agreement": ">= 0.99", "metadata-fields": GOAL_OF_A_FIELD}
SAMPLES: Final = ROOT / "samples"
ROUNDS: Final = BySize(20, 200, 200)
# The formats of the samples into which exiftool writes.
_WRITTEN: Final = frozenset(
    {".avif", ".dng", ".heic", ".jpg", ".mov", ".mp4", ".pdf", ".png", ".psd", ".tif"}
)

# Fields of exiftool's PDF that the two programs read differently, and the reasons.
_UPDATED: Final = "written-report.pdf"
_OLDER: Final = (
    "exiftool adds to a PDF, whose older metadata is still in it and is read here as well"
)
_EXPLAINED: Final[Mapping[str, str]] = {
    "PDF:Keywords": "exiftool parts keywords without a comma at their spaces, and so a name",
    "dc:creator": _OLDER,
    "xmpMM:DocumentID": _OLDER,
}
_ALL: Final = (
    *(*fields.XMP.values(), fields.REGION_NAME, *fields.IPTC.values(), *fields.EXIF.values()),
    *(*fields.EXIF_UTF16.values(), *fields.PDF_INFO.values()),
)
_PARTS: Final = {field.name: field.parts for field in _ALL}

type _Read = dict[str, set[tuple[str, str]]]
"""By field, the pairs of a file and an identifier."""


def run(step: Step, size: Size) -> Iterable[Result]:
    """Judge every field, and time the process."""
    yield from _judged(step) if shutil.which("exiftool") else [_missing()]
    step("a process of its own", 1, 2)
    yield _cost(ROUNDS.at(size))


def _missing() -> Result:
    unit = "fields judged: exiftool is missing (apt-get install libimage-exiftool-perl)"
    return Result("metadata-fields-judged", 0, unit)


def _judged(step: Step) -> list[Result]:
    step("reading", 0, 2)
    with tempfile.TemporaryDirectory() as folder:
        files = list(_files(Path(folder)))
        ours = _ours(files)
        theirs = _exiftool(files)
    unlikes = []
    both = either = alike = 0
    for field in sorted(ours.keys() | theirs.keys()):
        agreed, all_read = ours[field] & theirs[field], ours[field] | theirs[field]
        both, either = both + len(agreed), either + len(all_read)
        unlike = all_read - agreed
        if not unlike:
            alike += 1
        else:
            goal: str | None = GOAL_OF_A_FIELD
            unit = f"of {len(all_read)} read alike by exiftool"
            missed, more = sorted(theirs[field] - ours[field]), sorted(ours[field] - theirs[field])
            unit += f"; only exiftool: {missed}; only ours: {more}"
            if {file for file, _ in unlike} == {_UPDATED} and field in _EXPLAINED:
                unit, goal, alike = f"{unit}; {_EXPLAINED[field]}", None, alike + 1
            unlikes.append(Result(f"metadata {field}", len(agreed) / len(all_read), unit, goal))
    total = f"of {either} in all read alike by exiftool"
    fields_read = ours.keys() | theirs.keys()
    shares = {"metadata-agreement": both / either, "metadata-fields": alike / len(fields_read)}
    units = (total, f"of {len(fields_read)} fields read alike, or otherwise for a known reason")
    judged = zip(shares.items(), units, strict=True)
    return [*(Result(name, share, unit, GOALS[name]) for (name, share), unit in judged), *unlikes]


def _files(folder: Path) -> Iterator[Path]:
    for sample in json.loads((SAMPLES / "manifest.json").read_text("utf-8"))["samples"]:
        if sample["note"] != "metadata-unreadable":
            yield SAMPLES / sample["file"]
    for number, (_, inside, _) in enumerate(IN_XMP):
        file = folder / f"{number}.tif"
        file.write_bytes(tiff_with_xmp(xmp(inside)))
        yield file
    yield from _written(folder)


def _written(folder: Path) -> Iterator[Path]:
    """Yield copies of the samples with every field, written by exiftool."""
    values = []
    for number, (field, tag) in enumerate(TAGS.items()):
        if "DocumentID" in tag or "InstanceID" in tag:
            value = f"xmp.did:{number:032x}"
        elif "mail" in field:
            value = f"person{number}@example.org"
        else:
            value = f"Zoë Müller {number}"
        values.append(f"-{tag}={value}")
    for sample in sorted(SAMPLES.iterdir()):
        copy = folder / f"written-{sample.name}"
        if sample.suffix in _WRITTEN and sample.name != "broken-metadata.jpg":
            subprocess.run(
                ["exiftool", "-q", "-q", "-m", *values, "-o", str(copy), str(sample)], check=True
            )
            yield copy


def _ours(files: list[Path]) -> _Read:
    found: _Read = defaultdict(set)
    for file in files:
        data = file.read_bytes()
        collector = Collector(detect(data[:HEAD_SIZE], len(data)))
        collector.feed(data)
        with file.open("rb") as copy:
            metadata = collector.finish(copy)
        named = [(one.field, one.identifier) for one in metadata.people]
        named += [(one.field, one.identifier) for one in metadata.documents]
        for field, identifier in named:
            found[field].add((file.name, identifier))
    return found


def _exiftool(files: list[Path]) -> _Read:
    asked = ["-j", "-a", "-G0:1", "-struct", "-api", "struct=2", "-charset", "utf8"]
    said = subprocess.run(
        ["exiftool", *asked, *map(str, files)], check=True, capture_output=True
    ).stdout
    names = defaultdict(list)
    for field, tag in TAGS.items():
        names[tag].append(field)
    found: _Read = defaultdict(set)
    for record in json.loads(said):
        file = Path(record["SourceFile"]).name
        for key, value in record.items():
            family, _, rest = key.partition(":")
            tag = rest.partition(":")[2] if rest.count(":") else rest
            group = rest.partition(":")[0]
            for name in (f"{group}:{tag}", f"{family}:{tag}"):
                for field in names.get(name, ()):
                    for text in _texts(field, value, record):
                        for part in _PARTS.get(field, fields.whole)(text):
                            if part := " ".join(part.split()):
                                found[field].add((file, part))
    return found


def _texts(field: str, value: Any, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a value; of regions the names of faces, and of regions without a type."""
    if field == "mwg-rs:Regions/Name":
        for key, info in record.items():
            if key.endswith(":RegionInfo") and "mwg-rs" in key:
                for region in info["RegionList"]:
                    if region.get("Type", "Face") == "Face" and "Name" in region:
                        yield region["Name"]
        return
    for one in value if isinstance(value, list) else [value]:
        yield str(one)


def _cost(rounds: int) -> Result:
    """Compare the reading of a picture in a new process with the reading in this process."""
    file = SAMPLES / "astronaut.jpg"
    data = file.read_bytes()
    read(data)
    apart, here = [], []
    # In turns, as a busy machine then weighs on either alike.
    for _ in range(rounds):
        apart.append(_timed(lambda: read(data)))
        here.append(_timed(lambda: read_picture(str(file))))
    ratio = statistics.median(apart) / statistics.median(here)
    return Result("metadata-process", ratio, "x the same within the process")


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


BENCHMARK: Final = Benchmark(
    "metadata",
    "the fields read, against exiftool; the reading in a process, against this process",
    run,
    BySize(1, 5, 5),
    GOALS,
)
