"""Builders of small files, from which the cases are put together."""

import base64
import binascii
import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from samples.eicar import eicar

_SAMPLES = Path(__file__).parents[3] / "samples"
_WHEN = (2024, 1, 1, 0, 0, 0)


def virus() -> bytes:
    """The test file behind a harmless line, so that packers change its bytes."""
    return b"A harmless line of text, and then: " + eicar()


def noise(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count)


@cache
def sample(name: str) -> bytes:
    return (_SAMPLES / name).read_bytes()


def photo() -> bytes:
    return sample("cat.jpg")


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, _WHEN)
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


def virus_zip() -> bytes:
    return zipped(("readme.txt", b"Nothing to see. " * 40), ("a.com", virus()))


def tarred(*members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def raw_deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def lines_of_base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def pdf(*objects: bytes, trailer: bytes = b"<</Root 1 0 R>>", head: bytes = b"%PDF-1.7\n") -> bytes:
    """A PDF of numbered objects with a table of their places."""
    data = bytearray(head)
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(data) + b"trailer\n" + trailer + b"\nstartxref\n%d\n%%%%EOF\n" % start


CATALOG = b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(a)3 0 R]>>>>>>"
PAGES = b"<</Type/Pages/Kids[]/Count 0>>"
FILE = b"<</Type/Filespec/F(a.com)/EF<</F 4 0 R>>>>"


def stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data)


def attached(entries: bytes, data: bytes, *others: bytes, **options: bytes) -> bytes:
    """A PDF with an attachment whose stream has these entries and these encoded bytes."""
    return pdf(
        CATALOG, PAGES, FILE, stream(b"/Type/EmbeddedFile" + entries, data), *others, **options
    )


def ole(
    streams: Mapping[str, bytes],
    *,
    fragment: bool = False,
    listed: bool = True,
    class_id: bytes = bytes(16),
) -> bytes:
    """A compound file. `fragment` scatters the sectors; `listed` names the streams."""
    names = list(streams)
    small = {name: data for name, data in streams.items() if len(data) < 4096}
    sectors: dict[int, bytes] = {}
    table: dict[int, int] = {}
    count = sum(-(-len(data) // 512) for data in streams.values()) + 8 + 64
    free = list(range(count))
    if fragment:
        free = free[::2] + free[1::2][::-1]

    def place(data: bytes) -> int:
        blocks = [data[at : at + 512].ljust(512, b"\0") for at in range(0, len(data), 512)]
        if not blocks:
            return 0xFFFFFFFE
        numbers = [free.pop(0) for _ in blocks]
        for number, block, following in zip(
            numbers, blocks, [*numbers[1:], 0xFFFFFFFE], strict=True
        ):
            sectors[number], table[number] = block, following
        return numbers[0]

    mini_table: list[int] = []
    mini, starts = bytearray(), {}
    for name, data in small.items():
        blocks = -(-len(data) // 64)
        first = len(mini_table)
        starts[name] = first if blocks else 0xFFFFFFFE
        mini_table += [*range(first + 1, first + blocks), 0xFFFFFFFE] if blocks else []
        mini += data.ljust(blocks * 64, b"\0")
    for name in names:
        if name not in small:
            starts[name] = place(streams[name])
    mini_start = place(bytes(mini))
    mini_table_start = place(struct.pack(f"<{len(mini_table)}I", *mini_table))
    shown = names if listed else []
    entries = [_entry("Root Entry", 5, mini_start, len(mini), child=1 if shown else 0xFFFFFFFF)]
    for number, name in enumerate(shown, 1):
        right = number + 1 if number < len(shown) else 0xFFFFFFFF
        entries.append(_entry(name, 2, starts[name], len(streams[name]), right=right))
    entries[0] = entries[0][:80] + class_id + entries[0][96:]
    directory = place(b"".join(entries).ljust(-(-len(entries) // 4) * 512, b"\0"))
    last = max(sectors) + 1
    tables = -(-(last + 8) // 128)
    places = list(range(last, last + tables))
    total = last + tables
    values = [table.get(number, 0xFFFFFFFF) for number in range(last)]
    values += [0xFFFFFFFD] * tables + [0xFFFFFFFF] * (tables * 128 - total)
    header = struct.pack(
        "<8s16xHHHHH6xIII4xIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0x3E, 3, 0xFFFE, 9, 6, 0, tables, directory, 4096,
        mini_table_start, -(-len(mini_table) // 128), 0xFFFFFFFE, 0,
    )  # fmt: skip
    header += struct.pack("<109I", *places, *[0xFFFFFFFF] * (109 - tables))
    body = b"".join(sectors.get(number, bytes(512)) for number in range(last))
    return header + body + struct.pack(f"<{tables * 128}I", *values)


def _entry(
    name: str, kind: int, start: int, size: int, *, child: int = 0xFFFFFFFF, right: int = 0xFFFFFFFF
) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16xI16xIQ",
        encoded, len(encoded), kind, 1, 0xFFFFFFFF, right, child, 0, start, size,
    )  # fmt: skip


def spread(data: bytes, size: int = 5000) -> bytes:
    """Content for a large stream with `data` across the border of two sectors."""
    return (b"." * (512 - len(data) // 2) + data).ljust(size, b".")


def vba(text: bytes) -> bytes:
    """A compressed container of [MS-OVBA] whose chunks have literals and copies."""
    packed = bytearray(b"\x01")
    for start in range(0, len(text), 4096):
        chunk = text[start : start + 4096]
        data, at = bytearray(), 0
        while at < len(chunk):
            flags, group = 0, bytearray()
            for bit in range(8):
                if at >= len(chunk):
                    break
                width = max((at - 1).bit_length(), 4) if at else 4
                longest = min((0xFFFF >> width) + 3, len(chunk) - at)
                length, offset = _longest(chunk, at, longest)
                if length >= 3:
                    flags |= 1 << bit
                    token = (offset - 1) << (16 - width) | (length - 3)
                    group += struct.pack("<H", token)
                    at += length
                else:
                    group.append(chunk[at])
                    at += 1
            data += bytes([flags]) + group
        packed += struct.pack("<H", 0xB000 | (len(data) - 1)) + data
    return bytes(packed)


def _longest(chunk: bytes, at: int, longest: int) -> tuple[int, int]:
    for length in range(min(longest, 18), 2, -1):
        found = chunk.rfind(chunk[at : at + length], 0, at)
        if found >= 0:
            return length, at - found
    return 0, 0


def iso(files: Sequence[bytes], *, joliet: bool = False, hidden: bool = False) -> bytes:
    """A disc image. With `hidden`, the primary tree is empty and Joliet's tree has the files."""
    sectors = [bytes(2048)] * 16
    first = 16 + 3 + 2
    places, at = [], first
    for data in files:
        places.append(at)
        at += max(1, -(-len(data) // 2048))
    count = at
    trees = [(1, 19)] + ([(2, 20)] if joliet else [])
    for kind, root in trees:
        descriptor = bytearray(2048)
        descriptor[:7] = bytes([kind]) + b"CD001\x01"
        descriptor[80:88] = _both(count)
        if kind == 2:
            descriptor[88:91] = b"%/E"
        descriptor[128:132] = struct.pack("<H", 2048) + struct.pack(">H", 2048)
        descriptor[156:190] = _record(root, 2048, 2, b"\0")
        sectors.append(bytes(descriptor))
    sectors.append(b"\xffCD001\x01".ljust(2048, b"\0"))
    while len(sectors) < 19:
        sectors.append(bytes(2048))
    for kind, root in [(1, 19), (2, 20)]:
        directory = _record(root, 2048, 2, b"\0") + _record(root, 2048, 2, b"\1")
        if not (hidden and kind == 1):
            for number, (place, data) in enumerate(zip(places, files, strict=True)):
                name = b"FILE%d.BIN;1" % number
                directory += _record(place, len(data), 0, name)
        sectors.append(directory.ljust(2048, b"\0"))
    for data in files:
        size = max(1, -(-len(data) // 2048)) * 2048
        sectors.append(data.ljust(size, b"\0"))
    return b"".join(sectors)


def _both(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


def _record(place: int, length: int, flags: int, name: bytes) -> bytes:
    body = b"\0" + _both(place) + _both(length) + bytes(7) + bytes([flags, 0, 0])
    body += struct.pack("<H", 1) + struct.pack(">H", 1) + bytes([len(name)]) + name
    body += b"" if len(name) % 2 else b"\0"
    return bytes([len(body) + 1]) + body


def ar(*members: tuple[str, bytes]) -> bytes:
    data = b"!<arch>\n"
    for name, content in members:
        data += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (
            name.encode(),
            0,
            0,
            0,
            b"100644",
            len(content),
        )
        data += content + b"\n" * (len(content) % 2)
    return data


def cpio(form: str, *members: tuple[str, bytes]) -> bytes:
    data = b""
    for name, content in [*members, ("TRAILER!!!", b"")]:
        named = name.encode() + b"\0"
        if form == "newc":
            fields = (1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(named), 0)
            header, unit = b"070701" + b"".join(b"%08X" % field for field in fields), 4
        elif form == "odc":
            header = b"070707" + b"".join(b"%06o" % one for one in (0, 1, 0o100644, 0, 0, 1, 0))
            header += b"%011o%06o%011o" % (0, len(named), len(content))
            unit = 1
        else:
            header = struct.pack(
                "<13H", 0o70707, 0, 1, 0o100644, 0, 0, 1, 0, 0, 0, len(named),
                len(content) >> 16, len(content) & 0xFFFF,
            )  # fmt: skip
            unit = 2
        for block in (header + named, content):
            data += block
            data += b"\0" * (-len(data) % unit)
    return data


def tnef(*attachments: bytes) -> bytes:
    data = struct.pack("<IH", 0x223E9F78, 1)
    for content in attachments:
        data += struct.pack("<BII", 2, 0x0006800F, len(content)) + content
        data += struct.pack("<H", sum(content) & 0xFFFF)
    return data


def mail(*parts: bytes, boundary: bytes = b"b1", declared: bytes | None = None) -> bytes:
    """A multipart mail; `declared` is the boundary of the header, where it differs."""
    head = (
        b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Report\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\nPreamble.\r\n'
    ) % (boundary if declared is None else declared)
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return head + body + b"--" + boundary + b"--\r\n"


def mail_part(data: bytes, encoding: bytes = b"Content-Transfer-Encoding: base64") -> bytes:
    head = (
        b'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="a"'
    )
    return head + b"\r\n" + encoding + b"\r\n\r\n" + data


def quoted(data: bytes) -> bytes:
    return b"=\r\n".join(
        b"".join(b"=%02X" % byte for byte in data[at : at + 20]) for at in range(0, len(data), 20)
    )


def uuencoded(data: bytes) -> bytes:
    body = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 a.com\n" + body + b"`\nend\n"


def yencoded(data: bytes) -> bytes:
    body = bytearray()
    for byte in data:
        code = (byte + 42) & 255
        body += b"=" + bytes([(code + 64) & 255]) if code in b"\0\n\r=" else bytes([code])
    return b"=ybegin line=128 size=%d name=a\r\n" % len(data) + body + b"\r\n=yend size=1\r\n"


def lzw(data: bytes) -> bytes:
    """LZW as PDF has it, with early change."""
    table = {bytes([byte]): byte for byte in range(256)}
    bits, held, width = 0, 0, 9
    out = bytearray()

    def write(code: int) -> None:
        nonlocal bits, held
        held = held << width | code
        bits += width
        while bits >= 8:
            bits -= 8
            out.append(held >> bits & 255)

    write(256)
    text = b""
    following = 258
    for byte in data:
        longer = text + bytes([byte])
        if longer in table:
            text = longer
            continue
        write(table[text])
        table[longer] = following
        following += 1
        width = min(12, (following + 1).bit_length())
        text = bytes([byte])
    write(table[text])
    following += 1
    width = min(12, (following + 1).bit_length())
    write(257)
    return bytes(out) + bytes([held << (8 - bits) & 255] if bits else [])


def predicted(data: bytes, columns: int) -> bytes:
    """PNG's prediction "up" of rows of `columns` bytes."""
    rows, above = b"", bytes(columns)
    for at in range(0, len(data), columns):
        row = data[at : at + columns].ljust(columns, b"\0")
        rows += b"\2" + bytes((one - up) & 255 for one, up in zip(row, above, strict=True))
        above = row
    return rows


def run_length(data: bytes) -> bytes:
    blocks = [data[at : at + 7] for at in range(0, len(data), 7)]
    return b"".join(bytes([len(block) - 1]) + block for block in blocks) + b"\x80"


def swf(data: bytes) -> bytes:
    return b"CWS\x0a" + struct.pack("<I", len(data) + 8) + zlib.compress(data)


def packaged(data: bytes) -> bytes:
    """The stream of a file that was packaged into an Office document."""
    inner = b"\2\0Report\0C:\\a.zip\0\0\0\3\0" + struct.pack("<I", 9) + b"C:\\a.zip\0"
    inner += struct.pack("<I", len(data)) + data + struct.pack("<I", 4) + "name".encode("utf-16-le")
    return struct.pack("<I", len(inner)) + inner


def large_zip(*members: tuple[str, bytes]) -> bytes:
    """A zip of more than 4,096 bytes, which a compound file keeps in sectors of its own."""
    noise = b"".join(hash_of.to_bytes(4) for hash_of in range(0, 2_000_000_000, 1_000_003))
    return zipped(("noise.bin", noise), *members)
