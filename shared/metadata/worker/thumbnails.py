"""Render a picture as a thumbnail by Pillow: small, upright, and without any metadata.

Of an animation and of a file of several pages the first picture is rendered. JPEG is decoded at a
fraction of the size, so that a photo of any size takes little memory. Any other picture is decoded
whole, and so is progressive JPEG before the reduction.
"""

import base64
import io
from pathlib import Path
from typing import Final, cast

from PIL import ExifTags, Image, ImageOps

from shared.metadata.worker.result import RENDERED_TOO_LARGE, UNRENDERABLE, Thumbnail

SIDE: Final = 256
"""Pixels of a thumbnail's longer side at most."""

# Bytes of a decoded picture; the worker has 512 MiB for a thumbnail.
_MAX_DECODED: Final = 400_000_000
_BYTES_OF_PIXEL: Final = 4
# Bytes of a number for each channel of a pixel, before the reduction of a progressive JPEG.
_BYTES_OF_COEFFICIENT: Final = 2
# The formats that `Image.open` may try. Others call programs (EPS) or name no picture of a file.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "JPEG2000", "PSD", "BMP")
# Modes that Pillow does not resize, or not smoothly, and the mode to convert to beforehand.
_FIRST: Final = {"1": "L", "P": "RGBA", "PA": "RGBA", "LAB": "RGB"}
# Shows through a transparent picture, so that a black drawing and a white drawing are both seen.
_GROUND: Final = (200, 200, 200)
_QUALITY: Final = 80

# `_takes_too_much` holds a picture to a limit that knows of the reduction.
Image.MAX_IMAGE_PIXELS = None


def render(path: str) -> Thumbnail:
    """Return the thumbnail of the picture at `path`, a JPEG.

    Raises MemoryError for a picture that takes too much memory.
    """
    try:
        # From an open file: Pillow 13 maps a named TIFF into memory with the sides exchanged.
        with Path(path).open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
            if _takes_too_much(picture):
                return Thumbnail(note=RENDERED_TOO_LARGE)
            return Thumbnail(base64.b64encode(_jpeg(_small(picture))).decode())
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow raises errors of many classes on broken files
        return Thumbnail(note=UNRENDERABLE)


def _takes_too_much(picture: Image.Image) -> bool:
    """Have a JPEG decoded at a fraction of its size, and tell whether a picture is too large."""
    decoded = 0
    if picture.info.get("progressive"):
        channels = len(picture.getbands())
        decoded = picture.width * picture.height * channels * _BYTES_OF_COEFFICIENT
    picture.draft(None, (2 * SIDE, 2 * SIDE))
    return decoded + picture.width * picture.height * _BYTES_OF_PIXEL > _MAX_DECODED


def _small(picture: Image.Image) -> Image.Image:
    # Pillow turns a TIFF upright itself, at the loading.
    picture.load()
    orientation = _orientation(picture)
    if picture.mode.startswith("I;"):
        picture = picture.convert("I")
    elif picture.mode in _FIRST:
        picture = picture.convert(_FIRST[picture.mode])
    picture.thumbnail((SIDE, SIDE))
    small = _in_eight_bits(picture)
    # A conversion changes what Pillow knows of the orientation.
    small.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(small)


def _orientation(picture: Image.Image) -> int:
    """Return the orientation that EXIF or XMP tells; 1 where the metadata is broken."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - broken metadata leaves the picture as it lies
        return 1


def _in_eight_bits(picture: Image.Image) -> Image.Image:
    """Scale the numbers of a scientific or 16-bit picture to shades of grey, the largest white."""
    if picture.mode not in {"I", "F"}:
        return picture
    low, high = cast("tuple[float, float]", picture.getextrema())
    black = min(low, 0)
    scale = 255 / ((high - black) or 1)
    return picture.point(lambda value: value * scale - black * scale).convert("L")


def _jpeg(picture: Image.Image) -> bytes:
    """Encode a picture on a new ground: the metadata of `picture` stays behind."""
    new = Image.new("RGB", picture.size, _GROUND)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        new.paste(picture, mask=picture)
    else:
        new.paste(picture.convert("RGB"))
    made = io.BytesIO()
    new.save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()
