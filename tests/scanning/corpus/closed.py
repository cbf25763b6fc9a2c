"""Formats that the scanner does not open, at the head of a file or behind another file."""

import lzma
import struct
import zlib

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import Cases, Expected, noted, refused

CLOSED = Cases("closed format")

_NOISE = bytes(range(1, 200))
_PLACES = struct.pack("<QQI", 100, 60, 0x12345678)
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(_PLACES)) + _PLACES + _NOISE
_RAR5_MARK = b"Rar!\x1a\x07\x01\0"
_RAR5 = _RAR5_MARK + b"\x33\x92\xb5\xe5\x0a\1\5\6\0\5\1\1\x80\x80\0" + _NOISE
_RAR4 = b"Rar!\x1a\x07\0\xcf\x90\x73\0\0\x0d" + bytes(7) + _NOISE
_CABINET = b"MSCF\0\0\0\0" + struct.pack("<IIII", 300, 0, 44, 0) + b"\3\1\1\0\1\0\0\0" + _NOISE
_XAR = b"xar!\0\x1c\0\1" + struct.pack(">QQI", 90, 300, 1) + _NOISE
_LHA_HEADER = b"-lh5-" + struct.pack("<II", 90, 120) + bytes(4) + b"\x20\1\5a.com\0\0M\0\0"
_LHA = bytes((len(_LHA_HEADER), sum(_LHA_HEADER) & 0xFF)) + _LHA_HEADER + _NOISE
_PROGRAM = b"\x7fELF\2\1\1" + bytes(0x1000)

_HEADS = {
    "7z": _SEVEN_ZIP,
    "RAR 5": _RAR5,
    "RAR 4": _RAR4,
    "cabinet": _CABINET,
    "xar": _XAR,
    "LHA": _LHA,
    "ARJ": b"\x60\xea\x2a\0\x22\x0b\1\2\x10\0\2" + _NOISE,
    "ACE": bytes(7) + b"**ACE**" + _NOISE,
    "ZOO": b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd" + _NOISE,
    "StuffIt": b"SIT!" + _NOISE,
    "Zstandard": b"\x28\xb5\x2f\xfd\x04" + _NOISE,
    "Zstandard behind a skippable frame": b"\x50\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfd" + _NOISE,
    "LZ4": b"\x04\x22\x4d\x18\x64" + _NOISE,
    "old LZ4": b"\x02\x21\x4c\x18" + _NOISE,
    "lzip": b"LZIP\1\x0c" + _NOISE,
    "LZMA": b"\x5d\0\0\x80\0" + b"\xff" * 8 + b"\0" + _NOISE,
    "LZMA with other properties": lzma.compress(
        b"harmless " * 9,
        lzma.FORMAT_ALONE,
        filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 22, "lp": 1}],
    ),
    "LZMA with a great dictionary": lzma.compress(
        b"harmless " * 9,
        lzma.FORMAT_ALONE,
        filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 25, "lc": 0, "pb": 0}],
    ),
    "LZO": b"\x89LZO\0\r\n\x1a\n" + _NOISE,
    "compress": b"\x1f\x9d\x90" + _NOISE,
    "compress of Windows": b"SZDD\x88\xf0\x27\x33A" + _NOISE,
    "RPM": b"\xed\xab\xee\xdb\3\0" + _NOISE,
    "Windows image": b"MSWIM\0\0\0\xd0\0\0\0" + _NOISE,
    "compiled help": b"ITSF\3\0\0\0" + _NOISE,
    "SquashFS": b"hsqs" + _NOISE,
    "virtual disk (VHDX)": b"vhdxfile" + _NOISE,
    "virtual disk (VMDK)": b"KDMV\1\0\0\0" + _NOISE,
    "virtual disk (qcow2)": b"QFI\xfb\0\0\0\3" + _NOISE,
    "Apple disk image": zlib.compress(_NOISE) + b"koly\0\0\0\4\0\0\2\0".ljust(512, b"\0"),
    "disc with UDF": bytes(32768) + b"\0BEA01\1".ljust(2048, b"\0") + b"\0NSR02\1" + bytes(99),
    "disc of raw sectors": b"\0" + b"\xff" * 10 + b"\0\0\2\0\1" + bytes(40000),
}  # fmt: skip

for _name, _data in _HEADS.items():
    CLOSED.add(_name, refused("unsupported"), lambda data=_data: data)
    CLOSED.add(
        f"{_name}, in a zip", refused("unsupported"), lambda data=_data: p.zipped(("a", data))
    )


def _rar4_block(kind: int, size: int) -> bytes:
    block = struct.pack("<BHH", kind, 0, size).ljust(size - 2, b"\0")
    return struct.pack("<H", zlib.crc32(block) & 0xFFFF) + block


def _rar5_block(content: bytes) -> bytes:
    return struct.pack("<I", zlib.crc32(content)) + content


_BEHIND = {
    "7z": _SEVEN_ZIP,
    "7z with the empty header of an unfinished archive": b"7z\xbc\xaf\x27\x1c\0\4".ljust(32, b"\0")
    + _NOISE,
    "RAR 5": _RAR5,
    "RAR 5 with a wrong sum": _RAR5_MARK + b"\0" * 4 + _RAR5[12:],
    "RAR 5, encrypted": _RAR5_MARK + _rar5_block(b"\5\4\0\0\0\x0f") + _NOISE,
    "RAR 5 with an unknown block first": _RAR5_MARK + _rar5_block(b"\3\x7f\0\0") + _RAR5[8:],
    "RAR 5 with a wrong unknown block first": _RAR5_MARK + bytes(4) + b"\3\x7f\0\0" + _RAR5[8:],
    "RAR 4": _RAR4,
    "RAR 4 with a wrong sum": _RAR4.replace(b"\xcf\x90", b"\0\0"),
    "RAR 4 with an unknown block first": b"Rar!\x1a\x07\0" + _rar4_block(0x7F, 40) + _RAR4[7:],
    "RAR 4 with a wrong unknown block first": b"Rar!\x1a\x07\0\0\0\x7f\0\0\7\0" + _RAR4[7:],
    "cabinet": _CABINET,
    "xar": _XAR,
    "LHA": _LHA,
    "LHA with a header of level 2": b"\x30\0" + _LHA_HEADER[:18] + b"\2" + _NOISE,
}  # fmt: skip

for _name, _data in _BEHIND.items():
    CLOSED.add(f"{_name}, in a program", refused("unsupported"), lambda data=_data: _PROGRAM + data)
    CLOSED.add(
        f"{_name}, behind a photo", refused("unsupported"), lambda data=_data: p.photo() + data
    )
CLOSED.add(
    "installer (NSIS)",
    noted("installer"),
    lambda: b"MZ" + bytes(500) + b"\xef\xbe\xad\xdeNullsoftInst" + _NOISE,
)
CLOSED.add(
    "installer (Inno Setup)",
    noted("installer"),
    lambda: b"MZ" + bytes(500) + b"Inno Setup Setup Data (6.2.0)" + _NOISE,
)
CLOSED.add(
    "packed program (UPX)", noted("packed-program"), lambda: b"MZ" + bytes(900) + b"UPX!" + _NOISE
)
CLOSED.add("Flash with LZMA", noted("flash"), lambda: b"ZWS\x0d" + _NOISE)
CLOSED.add(
    "OpenDocument, encrypted",
    Expected("noted", ("encrypted-document",)),
    lambda: p.zipped(
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("META-INF/manifest.xml", b"<?xml version='1.0'?><manifest:encryption-data/>"),
        ("content.xml", _NOISE),
    ),
)
CLOSED.add(
    "disc with UDF beside ISO 9660",
    noted("disc-image"),
    lambda: (
        p.iso([b"a"]).replace(bytes(32768) + b"\1CD001", bytes(32768) + b"\1CD001")[: 18 * 2048]
        + b"\0NSR02\1".ljust(2048, b"\0")
        + p.iso([b"a"])[19 * 2048 :]
    ),
)
