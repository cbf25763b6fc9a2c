"""The texts of PNG and GIF, which Exiv2 leaves out.

Sources: PNG third edition, section 11.3.3; GIF 89a, section 24; XMP Specification part 3, "GIF".
Pillow drops a text in an undeclared encoding, and decodes all pixels for a text behind the pixels.
"""

import struct
import zlib
from typing import IO, Final

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import MAX_TEXTS, Metadata, MetadataBuilder
from shared.metadata.worker.unknown_parts import MAX_TEXT, add_unknown
from shared.metadata.worker.xmp import read_packets

PNG: Final = b"\x89PNG\r\n\x1a\n"
_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")
# Chunks of the PNG specification and of its extensions without text of people; and EXIF, which
# Exiv2 reads.
_NO_TEXTS: Final = (
    *(b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP"),
    *(b"mDCV", b"cLLI", b"bKGD", b"hIST", b"pHYs", b"tIME", b"eXIf", b"acTL", b"fcTL", b"fdAT"),
    *(b"oFFs", b"sTER", b"vpAg", b"orNT", b"caBX", b"iDOT", b"CgBI"),
)
# Texts that hold XMP, EXIF and IPTC, which Exiv2 reads.
_READ_BY_EXIV2: Final = (b"XML:com.adobe.xmp", b"Raw profile type ")
_MAX_CHUNKS: Final = 1_000_000

_GIF: Final = (b"GIF87a", b"GIF89a")
_COMMENT: Final = 0xFE
_PLAIN_TEXT: Final = 0x01
_APPLICATION: Final = 0xFF
_XMP: Final = b"XMP DataXMP"
# Loops of animations, and colours.
_NO_TEXTS_OF_GIF: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")
# The bytes that lead a reader of blocks out of a packet.
_MAGIC_TRAILER: Final = b"\1" + bytes(range(255, -1, -1)) + b"\0"
_MAX_PACKETS: Final = 16
_MAX_PACKET: Final = 1024 * 1024


def add_png(file: IO[bytes], found: MetadataBuilder) -> None:
    """Add the texts of a PNG, before and behind the pixels; nothing of any other file."""
    if file.read(len(PNG)) != PNG:
        return
    for _ in range(_MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            found.broken |= bool(header)
            return
        length, kind = struct.unpack(">I4s", header)
        if kind == b"IEND":
            file.seek(4, 1)
            add_unknown("PNG:Trailer", file.read(2 * MAX_TEXT), found)
            return
        if kind in _TEXTS and length <= MAX_TEXTS:
            content = file.read(length)
            found.broken |= len(content) < length
            _add_chunk(kind, content, found)
            file.seek(4, 1)
        elif kind not in _NO_TEXTS and length <= MAX_TEXT:
            add_unknown(f"PNG:{kind.decode('latin-1')}", file.read(length), found)
            file.seek(4, 1)
        else:
            found.partial |= kind not in (*_TEXTS, *_NO_TEXTS)
            found.cut |= kind in _TEXTS
            file.seek(length + 4, 1)
    found.cut = True


def _add_chunk(kind: bytes, content: bytes, found: MetadataBuilder) -> None:
    keyword, _, value = content.partition(b"\0")
    if keyword.startswith(_READ_BY_EXIV2):
        return
    is_packed = kind == b"zTXt"
    if kind == b"iTXt":
        is_packed = value[:1] == b"\1"
        translated, _, text = value[2:].partition(b"\0")[2].partition(b"\0")
        # The keyword in the language of the text (PNG, section 11.3.3.4).
        found.text(f"PNG:{decoded(keyword)[0]}", *decoded(translated))
        value = b"\0" + text
    if is_packed:
        unpacker = zlib.decompressobj()
        try:
            value = unpacker.decompress(value[1:], MAX_TEXTS)
        except zlib.error:
            found.broken = True
            return
        found.cut |= bool(unpacker.unconsumed_tail)
    elif kind == b"iTXt":
        value = value[1:]
    found.text(f"PNG:{decoded(keyword)[0]}", *decoded(value))


def read_gif(path: str) -> Metadata:
    """Return the comments and the XMP of the GIF at `path`."""
    found = MetadataBuilder()
    packets: list[bytes] = []
    with open(path, "rb") as file:  # noqa: PTH123 - of a descriptor
        try:
            _read_blocks(file, packets, found)
        except (struct.error, IndexError):
            found.broken = True
    read_packets(packets, found)
    return found.metadata()


def _read_blocks(file: IO[bytes], packets: list[bytes], found: MetadataBuilder) -> None:
    signature, _, _, flags, _, _ = struct.unpack("<6sHHBBB", file.read(13))
    found.broken |= signature not in _GIF
    file.seek(_colours(flags), 1)
    while (mark := file.read(1)) not in (b";", b""):
        if mark == b",":
            flags = file.read(9)[8]
            # Behind the colours stands the size of a code.
            file.seek(_colours(flags) + 1, 1)
            _skip(file)
        elif mark == b"!":
            _read_extension(file, file.read(1)[0], packets, found)
        else:
            found.broken = True
            return
    found.broken |= mark == b""
    add_unknown("GIF:Trailer", file.read(2 * MAX_TEXT), found)


def _read_extension(
    file: IO[bytes], kind: int, packets: list[bytes], found: MetadataBuilder
) -> None:
    if kind == _COMMENT:
        found.text("GIF:Comment", *decoded(_joined(file)))
    elif kind == _PLAIN_TEXT:
        file.seek(file.read(1)[0], 1)
        found.text("GIF:PlainText", *decoded(_joined(file)))
    elif kind == _APPLICATION:
        name = file.read(file.read(1)[0])
        if name != _XMP:
            if not name.startswith(_NO_TEXTS_OF_GIF):
                add_unknown("GIF:Application", _joined(file), found)
            else:
                _skip(file)
            return
        start = file.tell()
        # Packets in UTF-16 have zeros, which end a chain of blocks.
        packet, trailer, _ = file.read(_MAX_PACKET + len(_MAGIC_TRAILER)).partition(_MAGIC_TRAILER)
        if not trailer or len(packets) == _MAX_PACKETS:
            found.cut = True
            file.seek(start)
            _skip(file)
            return
        packets.append(packet)
        file.seek(start + len(packet) + len(trailer))
    else:
        _skip(file)


def _colours(flags: int) -> int:
    """Return the bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip(file: IO[bytes]) -> None:
    while size := file.read(1)[0]:
        file.seek(size, 1)


def _joined(file: IO[bytes]) -> bytes:
    blocks = []
    room = MAX_TEXTS
    while size := file.read(1)[0]:
        block = file.read(size)
        room -= size
        if room >= 0:
            blocks.append(block)
    return b"".join(blocks)
