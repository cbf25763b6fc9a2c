"""Zips, tars and gzips whose readers disagree, and archives behind other files."""

import struct
import zlib
from dataclasses import dataclass, replace

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import STOPPED, Cases

FORGED = Cases("forged archive")
BEHIND = Cases("behind a file")

_LOCAL = struct.Struct("<4sHHHHHLLLHH")
_LISTED = struct.Struct("<4sHHHHHHLLLHHHHHLL")
_END = struct.Struct("<4sHHHHLLH")


@dataclass(frozen=True, slots=True)
class Claim:
    """An entry of a zip as one of its two headers describes the entry."""

    method: int
    crc: int
    packed: int
    size: int
    name: bytes = b"note.txt"
    flags: int = 0
    extra: bytes = b""


def _true(content: bytes) -> Claim:
    return Claim(8, zlib.crc32(content), len(p.raw_deflated(content)), len(content))


def zip_of(
    local: Claim, listed: Claim, stored: bytes, *, before: bytes = b"", after: bytes = b""
) -> bytes:
    """A zip of one entry: `local` stands before the bytes, and `listed` in the directory."""
    header = _LOCAL.pack(
        b"PK\3\4", 20, local.flags, local.method, 0, 0x5821, local.crc, local.packed, local.size,
        len(local.name), len(local.extra),
    )  # fmt: skip
    entry = header + local.name + local.extra + stored + after
    directory = _LISTED.pack(
        b"PK\1\2", 20, 20, listed.flags, listed.method, 0, 0x5821, listed.crc, listed.packed,
        listed.size, len(listed.name), len(listed.extra), 0, 0, 0, 0, 0,
    )  # fmt: skip
    directory += listed.name + listed.extra
    return entry + directory + _END.pack(b"PK\5\6", 0, 0, 1, 1, len(directory), len(entry), 0)


def _forged() -> None:
    add = FORGED.add
    payload = p.virus()
    stored = p.raw_deflated(payload)
    good = _true(payload)
    raw = Claim(0, zlib.crc32(stored), len(stored), len(stored))
    short = replace(good, size=20, crc=zlib.crc32(payload[:20]))
    add("directory says stored", STOPPED, lambda: zip_of(good, raw, stored))
    add("entry says stored", STOPPED, lambda: zip_of(raw, good, stored))
    add("directory states a shorter size", STOPPED, lambda: zip_of(good, short, stored))
    add("entry states a shorter size", STOPPED, lambda: zip_of(short, good, stored))
    add("both state a shorter size", STOPPED, lambda: zip_of(short, short, stored))
    cut = replace(good, packed=9)
    add("directory states a shorter packed size", STOPPED, lambda: zip_of(good, cut, stored))
    add("names differ", STOPPED, lambda: zip_of(good, replace(good, name=b"file.txt"), stored))
    add("directory says encrypted", STOPPED, lambda: zip_of(good, replace(good, flags=1), stored))
    add("entry says encrypted", STOPPED, lambda: zip_of(replace(good, flags=1), good, stored))
    descriptor = struct.pack("<4sLLL", b"PK\7\10", good.crc, good.packed, good.size)
    blank = replace(good, flags=8, crc=0, packed=0, size=0)
    add(
        "data descriptor, directory states less",
        STOPPED,
        lambda: zip_of(blank, replace(short, flags=8), stored, after=descriptor),
    )
    wide = struct.pack("<HHQQ", 1, 16, 20, 9)
    unknown = replace(good, packed=0xFFFFFFFF, size=0xFFFFFFFF, extra=wide)
    add("Zip64 sizes in the entry alone", STOPPED, lambda: zip_of(unknown, good, stored))
    tiny = Claim(0, zlib.crc32(b"hi"), 2, 2)
    entry = zip_of(good, good, stored)[: 38 + len(stored)]
    add("a second entry behind", STOPPED, lambda: zip_of(tiny, tiny, b"hi", after=entry))
    add("two zips in a row", STOPPED, lambda: p.virus_zip() + p.zipped(("a.txt", b"harmless " * 9)))
    add(
        "two zips in a row, infected second",
        STOPPED,
        lambda: p.zipped(("a.txt", b"harmless " * 9)) + p.virus_zip(),
    )
    add("gzip behind a gzip", STOPPED, lambda: p.gzipped(b"harmless") + p.gzipped(payload))
    add("zip behind a gzip", STOPPED, lambda: p.gzipped(b"harmless") + p.virus_zip())
    add("gzip behind a tar", STOPPED, lambda: p.tarred(("a", b"harmless")) + p.gzipped(payload))


def _behind() -> None:
    packed = {
        "zip": p.virus_zip(),
        "gzip": p.gzipped(p.virus()),
        "tar.gz": p.gzipped(p.tarred(("a", p.virus()))),
    }
    carriers = {
        "photo": p.photo(),
        "film": p.sample("clip.mp4"),
        "PNG": p.sample("launch.png"),
        "PDF": p.sample("report.pdf"),
        "program": b"MZ" + bytes(4000),
    }
    for name, data in packed.items():
        for carrier, head in carriers.items():
            _add_behind(f"{name} behind a {carrier}", head + data)
            _add_behind(f"{name} within a {carrier}", head + data + bytes(100_000))
    harmless = b"".join(p.gzipped(b"text %d" % one) for one in range(3000))
    _add_behind("gzip behind 3,000 gzips in resources", b"\5\0" + harmless + p.gzipped(p.virus()))


def _add_behind(name: str, data: bytes) -> None:
    BEHIND.add(name, STOPPED, lambda: data)


_forged()
_behind()
