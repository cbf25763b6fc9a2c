"""Metadata: what is read, held against exiftool, an outside judge; and what reading it apart costs.

The judged files are the samples, one for each field of XMP that the tests write, and a copy of each
sample into which exiftool itself has written every field that the format takes. A field's agreement
is the share of identifiers, of all that either of the two reads in that field, that both read. What
exiftool reads as one text is parted into identifiers as ours is (`worker.fields`), since that
is meaning and not reading. The sample with broken metadata is left out. Needs Debian's
libimage-exiftool-perl, and says so where that is missing.
"""

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from infra.local.settings import ROOT
from shared.metadata.collector import Collector
from shared.metadata.reading import read
from shared.metadata.worker import fields
from shared.metadata.worker.pictures import read_picture
from shared.scanning.content_type import HEAD_SIZE, detect
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result
from tests.metadata.test_metadata_fields import IN_XMP, xmp
from tests.metadata.test_metadata_limits import tiff_with_xmp

GOAL: Final = ">= 1"
GOAL_IN_ALL: Final = ">= 0.99"
SAMPLES: Final = ROOT / "samples"
ROUNDS: Final = 200
# The formats of the samples into which exiftool writes.
_WRITTEN: Final = frozenset(
    {".avif", ".dng", ".heic", ".jpg", ".mov", ".mp4", ".pdf", ".png", ".psd", ".tif"}
)

# How exiftool calls a field: its group of tags and the tag. Groups of EXIF and IPTC are families,
# as the directory of a file does not matter here. Those that Exif 3.0 added it does not know yet.
_TAGS: Final[Mapping[str, str]] = {
    "dc:creator": "XMP-dc:Creator",
    "dc:contributor": "XMP-dc:Contributor",
    "dc:rights": "XMP-dc:Rights",
    "dc:subject": "XMP-dc:Subject",
    "photoshop:CaptionWriter": "XMP-photoshop:CaptionWriter",
    "photoshop:Credit": "XMP-photoshop:Credit",
    "xmpRights:Owner": "XMP-xmpRights:Owner",
    "Iptc4xmpCore:CiEmailWork": "XMP-iptcCore:CreatorWorkEmail",
    "Iptc4xmpExt:PersonInImage": "XMP-iptcExt:PersonInImage",
    "Iptc4xmpExt:PersonInImageWDetails/PersonName": "XMP-iptcExt:PersonInImageName",
    "Iptc4xmpExt:ImageRegion/Name": "XMP-iptcExt:ImageRegionName",
    "Iptc4xmpExt:ImageRegion/PersonInImage": "XMP-iptcExt:ImageRegionPersonInImage",
    "Iptc4xmpExt:Contributor/Name": "XMP-iptcExt:ContributorName",
    "Iptc4xmpExt:Creator/Name": "XMP-iptcExt:CreatorName",
    "Iptc4xmpExt:ArtworkOrObject/AOCreator": "XMP-iptcExt:ArtworkCreator",
    "plus:CopyrightOwnerName": "XMP-plus:CopyrightOwnerName",
    "plus:ImageCreatorName": "XMP-plus:ImageCreatorName",
    "plus:LicensorName": "XMP-plus:LicensorName",
    "plus:LicensorEmail": "XMP-plus:LicensorEmail",
    "MPReg:PersonDisplayName": "XMP-MP:RegionPersonDisplayName",
    "mwg-rs:Regions/Name": "XMP-mwg-rs:RegionName",
    "mediapro:People": "XMP-mediapro:People",
    "expressionmedia:People": "XMP-expressionmedia:People",
    "lr:hierarchicalSubject": "XMP-lr:HierarchicalSubject",
    "digiKam:TagsList": "XMP-digiKam:TagsList",
    "MicrosoftPhoto:LastKeywordXMP": "XMP-microsoft:LastKeywordXMP",
    "acdsee:author": "XMP-acdsee:Author",
    "pdf:Author": "XMP-pdf:Author",
    "pdf:Keywords": "XMP-pdf:Keywords",
    "tiff:Artist": "XMP-tiff:Artist",
    "tiff:Copyright": "XMP-tiff:Copyright",
    "aux:OwnerName": "XMP-aux:OwnerName",
    "exifEX:CameraOwnerName": "XMP-exifEX:OwnerName",
    "exifEX:Photographer": "XMP-exifEX:Photographer",
    "xmpDM:artist": "XMP-xmpDM:Artist",
    "xmpDM:composer": "XMP-xmpDM:Composer",
    "xmpDM:director": "XMP-xmpDM:Director",
    "xmpDM:directorPhotography": "XMP-xmpDM:DirectorPhotography",
    "xmpDM:engineer": "XMP-xmpDM:Engineer",
    "xmpDM:client": "XMP-xmpDM:Client",
    "IPTC:2:25 Keywords": "IPTC:Keywords",
    "IPTC:2:80 By-line": "IPTC:By-line",
    "IPTC:2:110 Credit": "IPTC:Credit",
    "IPTC:2:116 Copyright Notice": "IPTC:CopyrightNotice",
    "IPTC:2:118 Contact": "IPTC:Contact",
    "IPTC:2:122 Writer/Editor": "IPTC:Writer-Editor",
    "Exif:Artist": "EXIF:Artist",
    "Exif:CameraOwnerName": "EXIF:OwnerName",
    "Exif:Copyright": "EXIF:Copyright",
    "Exif:XPAuthor": "EXIF:XPAuthor",
    "Exif:XPKeywords": "EXIF:XPKeywords",
    "PDF:Author": "PDF:Author",
    "PDF:Keywords": "PDF:Keywords",
    "xmpMM:DocumentID": "XMP-xmpMM:DocumentID",
    "xmpMM:InstanceID": "XMP-xmpMM:InstanceID",
    "xmpMM:OriginalDocumentID": "XMP-xmpMM:OriginalDocumentID",
    "xmpMM:DerivedFrom/documentID": "XMP-xmpMM:DerivedFromDocumentID",
    "xmpMM:DerivedFrom/instanceID": "XMP-xmpMM:DerivedFromInstanceID",
    "xmpMM:DerivedFrom/originalDocumentID": "XMP-xmpMM:DerivedFromOriginalDocumentID",
}
# Where the two read the PDF that exiftool wrote otherwise, and why that stays.
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


def run(step: Step) -> list[Result]:
    """Judge every field, and time the process."""
    results = _judged(step) if shutil.which("exiftool") else [_missing()]
    step("a process of its own", 1, 2)
    return [*results, _cost()]


def _missing() -> Result:
    unit = "fields judged: exiftool is missing (apt-get install libimage-exiftool-perl)"
    return Result("metadata-agreement", 0, unit)


def _judged(step: Step) -> list[Result]:
    step("reading", 0, 2)
    with tempfile.TemporaryDirectory() as folder:
        files = list(_files(Path(folder)))
        ours = _ours(files)
        theirs = _exiftool(files)
    results = []
    both = either = 0
    for field in sorted(ours.keys() | theirs.keys()):
        agreed, all_read = ours[field] & theirs[field], ours[field] | theirs[field]
        both, either = both + len(agreed), either + len(all_read)
        unit, goal = f"of {len(all_read)} read alike by exiftool", GOAL
        if unlike := all_read - agreed:
            missed, more = sorted(theirs[field] - ours[field]), sorted(ours[field] - theirs[field])
            unit += f"; only exiftool: {missed}; only ours: {more}"
            if {file for file, _ in unlike} == {_UPDATED} and field in _EXPLAINED:
                unit, goal = f"{unit}; {_EXPLAINED[field]}", None
        results.append(Result(f"metadata {field}", len(agreed) / len(all_read), unit, goal))
    total = f"of {either} in all read alike by exiftool"
    return [Result("metadata-agreement", both / either, total, GOAL_IN_ALL), *results]


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
    """Copies of the samples with every field, written by exiftool."""
    values = []
    for number, (field, tag) in enumerate(_TAGS.items()):
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
        for one in (*metadata.people, *metadata.documents):
            found[one.field].add((file.name, one.identifier))
    return found


def _exiftool(files: list[Path]) -> _Read:
    asked = ["-j", "-a", "-G0:1", "-struct", "-api", "struct=2", "-charset", "utf8"]
    said = subprocess.run(
        ["exiftool", *asked, *map(str, files)], check=True, capture_output=True
    ).stdout
    names = defaultdict(list)
    for field, tag in _TAGS.items():
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
    """The texts of one value; of regions only those that are, or may be, of a face."""
    if field == "mwg-rs:Regions/Name":
        for key, info in record.items():
            if key.endswith(":RegionInfo") and "mwg-rs" in key:
                for region in info["RegionList"]:
                    if region.get("Type", "Face") == "Face" and "Name" in region:
                        yield region["Name"]
        return
    for one in value if isinstance(value, list) else [value]:
        yield str(one)


def _cost() -> Result:
    """The time of a picture in a process of its own, to that of the same in this one."""
    file = SAMPLES / "astronaut.jpg"
    data = file.read_bytes()
    read(data)
    apart, here = [], []
    # In turns, so that whatever else the machine does weighs on both.
    for _ in range(ROUNDS):
        apart.append(_timed(lambda: read(data)))
        here.append(_timed(lambda: read_picture(str(file))))
    ratio = statistics.median(apart) / statistics.median(here)
    return Result("metadata-process", ratio, "times the same within the process")


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
