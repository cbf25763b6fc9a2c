"""The places of the pictures behind the first picture of a JPEG, by Pillow.

Source: CIPA DC-007, "Multi-Picture Format".
"""

from typing import Final

from PIL.JpegImagePlugin import JpegImageFile

# Limits of the pictures that are read, and of the bytes of each picture.
_MAX_PICTURES: Final = 16
_MAX_BYTES: Final = 16 * 1024 * 1024
_ENTRIES: Final = 0xB002


def further_pictures(path: str) -> tuple[list[tuple[int, int]], bool]:
    """Return the first byte and the size of each picture, and whether these are all pictures."""
    try:
        with JpegImageFile(path) as picture:
            index = picture._getmp() or {}  # noqa: SLF001 - as Pillow's own plug-in
            begin = int(picture.info["mpoffset"])
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow raises errors of many classes on broken files
        return [], False
    entries = index.get(_ENTRIES, [])[1:]
    places = [(begin + int(one["DataOffset"]), int(one["Size"])) for one in entries]
    whole = [place for place in places if 0 < place[1] <= _MAX_BYTES][:_MAX_PICTURES]
    return whole, whole == places
