"""Tars and gzips of which programs take different parts, and zips within their headers."""

import struct
import zlib

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import CLEAN, INFECTED, STOPPED, Cases, refused

FORGED_TARS = Cases("forged tar or gzip")
ODD_TARS = Cases("honest tar or gzip")

_END = bytes(1024)
_CONTRADICTORY = refused("contradictory")


def header(size: int, kind: bytes = b"0", *, field: bytes | None = None) -> bytes:
    """Return a header of 512 bytes, for a file `a.gz` of `size` bytes unless `field` says so."""
    block = bytearray(512)
    block[:4] = b"a.gz"
    block[100:124] = b"0000644\0" * 3
    block[124:136] = b"%011o\0" % size if field is None else field
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes, kind: bytes = b"x") -> bytes:
    """Return an extended header with one record."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest + len(str(rest))))
    line = b"%d %s=%s\n" % (length, key, value)
    return header(len(line), kind) + padded(line)


def gzip_with(extra: bytes) -> bytes:
    """Return a harmless gzip with an extra field in the header."""
    text = b"harmless " * 9
    sums = struct.pack("<LL", zlib.crc32(text), len(text))
    start = b"\x1f\x8b\x08\4" + bytes(5) + b"\3" + struct.pack("<H", len(extra))
    return start + extra + p.raw_deflated(text) + sums


def _forged() -> None:
    add = FORGED_TARS.add
    virus, text = p.gzipped(p.virus()), padded(b"harmless")
    member = header(len(virus)) + padded(virus)
    entry = p.zipped(("a.com", p.virus()))
    over = record(b"size", b"%d" % len(virus)) + header(0) + padded(virus) + _END
    add("extended header states a size", _CONTRADICTORY, lambda: over)
    none = record(b"size", b"0") + header(len(member)) + member + _END
    add("extended header states no size", _CONTRADICTORY, lambda: none)
    skips = record(b"size", b"%d" % (512 + len(member))) + header(512) + bytes(512) + member + _END
    add("extended header skips a member", _CONTRADICTORY, lambda: skips)
    for_all = record(b"size", b"512", b"g") + header(512 + len(member)) + bytes(512) + member + _END
    add("size for all members", _CONTRADICTORY, lambda: for_all)
    for kind in (b"Z", b"M", b"N", b"A", b"7"):
        data = header(len(virus), kind) + padded(virus) + _END
        add(f"member of type {kind.decode()}", INFECTED, lambda data=data: data)
    for kind, name in ((b"1", "link"), (b"3", "device"), (b"5", "folder")):
        data = header(len(virus), kind) + padded(virus) + _END
        add(f"{name} with content", STOPPED, lambda data=data: data)
    junk = header(0, field=b"%06o 77777" % len(virus)) + padded(virus) + _END
    add("size with junk behind", STOPPED, lambda: junk)
    wide = header(0, field=b"\x80" + len(virus).to_bytes(11)) + padded(virus) + _END
    add("size in base 256", INFECTED, lambda: wide)
    comment = record(b"comment", entry) + header(len(b"harmless")) + text + _END
    add("zip in an extended header", INFECTED, lambda: comment)
    named = header(len(entry), b"L") + padded(entry) + header(len(b"harmless")) + text + _END
    add("zip in a long name", INFECTED, lambda: named)
    padding = header(8) + b"harmless" + entry + bytes(504 - len(entry)) + _END
    add("zip in the padding", INFECTED, lambda: padding)
    lone = header(8) + text + bytes(512) + member + _END
    add("member behind a block of zeros", STOPPED, lambda: lone)
    add("zip in the header of a gzip", INFECTED, lambda: gzip_with(entry))
    second = p.gzipped(b"harmless") + gzip_with(entry)
    add("zip in the header of the second gzip", INFECTED, lambda: second)
    add("gzip without its sum", STOPPED, lambda: virus[:-8])
    add("rubbish behind a gzip", STOPPED, lambda: virus + b"rubbish")
    zipped = p.zipped(("a.txt", b"harmless " * 9))
    add("gzip in the comment of a zip", INFECTED, lambda: _commented(zipped, virus))
    add("gzip behind a zip", INFECTED, lambda: zipped + virus)


def _commented(zipped: bytes, comment: bytes) -> bytes:
    return zipped[:-2] + struct.pack("<H", len(comment)) + comment


def _odd() -> None:
    add = ODD_TARS.add
    photo = p.photo()
    stored = p.zipped(("a.jpg", photo), ("b.txt", b"hi"), method=0)
    add("tar of a stored zip", CLEAN, lambda: p.tarred(("a.txt", b"hi"), ("a.zip", stored)))
    add("gzip of a stored zip", CLEAN, lambda: p.gzipped(stored))
    size = header(0, field=b"\x80" + len(photo).to_bytes(11)) + padded(photo) + _END
    add("tar with a size in base 256", CLEAN, lambda: size)
    again = record(b"size", b"%d" % len(photo)) + header(len(photo)) + padded(photo) + _END
    add("tar whose headers both state the size", CLEAN, lambda: again)
    for field in (b"%11o " % 4, b"%012o" % 4, b"4".ljust(12, b"\0"), b"     000004\0"):
        data = header(0, field=field) + padded(b"text") + _END
        add(f"tar with the size {field!r}", CLEAN, lambda data=data: data)
    add("gzip with an extra field", CLEAN, lambda: gzip_with(b"AB\4\0text"))
    zipped = p.zipped(("a.jpg", photo))
    add("zip with a comment", CLEAN, lambda: _commented(zipped, b"Shot in Porto, 2024. " * 9))
    add("zip with zeros behind", CLEAN, lambda: zipped + bytes(100))


_forged()
_odd()
