"""Formats that hold files and that no reader here opens: a file of such a format is refused."""

import lzma
import struct
from typing import IO, Final

from shared.scanning.scanner import RefusedArchiveError

# The bytes at an offset.
_STARTS: Final = (
    # Packers of one file: skippable frames before Zstandard or LZ4, older LZ4, LZO, Snappy, lrzip,
    # rzip, pack, and Microsoft's compress.
    *((0, bytes([kind]) + b"\x2a\x4d\x18") for kind in range(0x50, 0x60)),
    (0, b"\x02\x21\x4c\x18"),
    (0, b"\x89LZO\0\r\n\x1a\n"),
    (0, b"\xff\x06\0\0sNaPpY"),
    (0, b"LRZI"),
    (0, b"RZIP"),
    (0, b"\x1f\x1e"),
    (0, b"SZDD\x88\xf0\x27\x33"),
    (0, b"KWAJ\x88\xf0\x27\xd1"),
    # ZPAQ, ZOO, StuffIt, ALZip, EGG, RPM, RAR before 1.5, and ARC's follower ARJ.
    (0, b"7kSt"),
    (20, b"\xdc\xa7\xc4\xfd"),
    (0, b"SIT!"),
    (0, b"StuffIt "),
    (0, b"ALZ\x01"),
    (0, b"EGGA"),
    (0, b"\xed\xab\xee\xdb"),
    (0, b"RE\x7e\x5e"),
    # Windows images, compiled help, and file systems that compress.
    (0, b"MSWIM\0\0\0"),
    (0, b"WLPWM\0\0\0"),
    (0, b"ITSF\x03\0\0\0"),
    (0, b"hsqs"),
    (0, b"sqsh"),
    (0, b"\x45\x3d\xcd\x28"),
    (0, b"-rom1fs-"),
    # Disks of virtual machines: VHDX, VMDK, qcow2, VirtualBox.
    (0, b"vhdxfile"),
    (0, b"KDMV"),
    (0, b"# Disk DescriptorFile"),
    (0, b"QFI\xfb"),
    (0x40, b"\x7f\x10\xda\xbe"),
    # A disc of raw sectors, whose files are interrupted by checksums.
    (0, b"\0" + b"\xff" * 10 + b"\0\0\x02\0"),
    (0, b"\0" + b"\xff" * 10 + b"\0\0\x02\0\x01"),
)
_ARJ: Final = b"\x60\xea"
# Properties and the size of the dictionary, as the old LZMA tools write them.
_LZMA: Final = struct.Struct("<BIQ")
_MAX_LZMA: Final = 1 << 38
# The properties that every common tool writes: three literal context bits and two position bits.
_USUAL: Final = 0x5D
_TRIED: Final = 64 * 1024
# The trailer of an Apple disk image, and its length.
_APPLE: Final = b"koly\0\0\0\x04\0\0\x02\0"
_APPLE_SIZE: Final = 512
# The directories of UDF: ECMA-167 part 2.
_UDF: Final = (b"BEA01", b"NSR02", b"NSR03")
_UDF_AT: Final = 16 * 2048


def refuse(file: IO[bytes], head: bytes, size: int) -> None:
    """Raise RefusedArchiveError for a file that holds files and cannot be opened here."""
    if (
        any(head.startswith(mark, offset) for offset, mark in _STARTS)
        or _is_arj(head)
        or _is_lzma(file, head)
        or _has(file, size - _APPLE_SIZE, _APPLE)
        or any(_has(file, _UDF_AT + 1, mark) for mark in _UDF)
    ):
        raise RefusedArchiveError("archive-unsupported")


def _has(file: IO[bytes], place: int, mark: bytes) -> bool:
    if place < 0:
        return False
    file.seek(place)
    return file.read(len(mark)) == mark


def _is_arj(head: bytes) -> bool:
    """Tell an ARJ by the length of its header, and the sizes within."""
    if not head.startswith(_ARJ) or len(head) < 34:
        return False
    length = int.from_bytes(head[2:4], "little")
    return 30 <= length <= 2600 and 30 <= head[4] <= 64 and head[10] in (0, 2)


def _is_lzma(file: IO[bytes], head: bytes) -> bool:
    """Tell an older LZMA by the header, and by the content where the properties are unusual."""
    if len(head) < _LZMA.size + 1:
        return False
    properties, dictionary, length = _LZMA.unpack_from(head)
    # A power of two, or the sum of two powers that follow each other: as `lzma` accepts.
    power = dictionary & -dictionary
    plain = dictionary in (power, power * 3) and dictionary >= 4096
    return (
        properties < 225
        and (properties == _USUAL or _decodes(file))
        and plain
        and head[_LZMA.size] == 0
        and (length == (1 << 64) - 1 or length < _MAX_LZMA)
    )


def _decodes(file: IO[bytes]) -> bool:
    """Tell whether the beginning of a file decodes as LZMA, to the end or for 64 KiB.

    So few bytes need no greater dictionary, and no more memory.
    """
    file.seek(0)
    packed = bytearray(file.read(_TRIED))
    packed[1:5] = _TRIED.to_bytes(4, "little")
    try:
        stream = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
        decoded = stream.decompress(packed, _TRIED)
    except lzma.LZMAError:
        return False
    # Zeros are an LZMA of no bytes.
    return bool(decoded) and (stream.eof or len(decoded) == _TRIED)
