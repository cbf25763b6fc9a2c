"""Tell a camera's raw photo from an ordinary TIFF; most raw formats are TIFF.

The first directory of a raw (TIFF 6.0 section 2) holds a small preview, and points to the sensor's
data in sub-directories. A photo that was developed and saved as TIFF keeps the camera's name, but
has neither preview nor sub-directories. A DNG has a tag of its own (DNG Specification 1.7,
DNGVersion).
"""

import struct
from collections.abc import Mapping
from typing import Final

_STARTS: Final = (
    (b"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    (b"IIU\0", "image/x-panasonic-rw2"),
    (b"IIRO", "image/x-olympus-orf"),
    (b"IIRS", "image/x-olympus-orf"),
    (b"MMOR", "image/x-olympus-orf"),
    (b"FOVb", "image/x-sigma-x3f"),
)
_MAKERS: Final = (
    (b"nikon", "image/x-nikon-nef"),
    (b"sony", "image/x-sony-arw"),
    (b"pentax", "image/x-pentax-pef"),
    (b"ricoh", "image/x-pentax-pef"),
)
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_SUBFILE_TYPE, _MAKE, _SUB_DIRECTORIES, _DNG_VERSION = 0x00FE, 0x010F, 0x014A, 0xC612
_REDUCED: Final = 1


def raw_photo(head: bytes) -> str | None:
    """Return the media type of a raw photo that begins with `head`, or None."""
    for start, media_type in _STARTS:
        if head.startswith(start):
            return media_type
    order = _ORDERS.get(head[:4])
    if order is None:
        return None
    # Canon's own header follows TIFF's.
    if head[8:10] == b"CR":
        return "image/x-canon-cr2"
    tags = _first_directory(head, order)
    if _DNG_VERSION in tags:
        return "image/x-adobe-dng"
    if tags.get(_SUBFILE_TYPE, (0, 0))[1] != _REDUCED or _SUB_DIRECTORIES not in tags:
        return None
    length, start_of_make = tags.get(_MAKE, (0, 0))
    make = head[start_of_make : start_of_make + length].lower()
    return next((named for maker, named in _MAKERS if make.startswith(maker)), None)


def _first_directory(head: bytes, order: str) -> Mapping[int, tuple[int, int]]:
    """Return the count and the value or offset of each tag of the first directory within `head`."""
    tags = {}
    try:
        (start,) = struct.unpack_from(f"{order}L", head, 4)
        (count,) = struct.unpack_from(f"{order}H", head, start)
        for position in range(start + 2, start + 2 + count * 12, 12):
            tag, _, length, value = struct.unpack_from(f"{order}HHLL", head, position)
            tags[tag] = (length, value)
    except struct.error:
        # The directory continues beyond `head`; the tags within `head` count.
        return tags
    return tags
