"""The files among the samples that no picture library writes: a few structures, put together.

Each function returns a whole file. `packet` is an XMP packet, which stands where XMP Specification
part 3 wants it.
"""

import io
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import imageio_ffmpeg
import numpy as np
import pypdf
import tifffile
from PIL import Image
from pypdf.generic import DecodedStreamObject, NameObject

_XMP_UUID: Final = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_XMP_TAG, _ARTIST_TAG = 700, 315


def film(picture: Image.Image, packet: bytes, *, quicktime: bool) -> bytes:
    """Two seconds in which the camera moves over the picture: H.264, in MP4 or QuickTime."""
    side = 160
    frames = b"".join(
        np.asarray(picture.crop((step * 4, step * 4, step * 4 + side, step * 4 + side))).tobytes()
        for step in range(20)
    )
    kind = "mov" if quicktime else "mp4"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"film.{kind}"
        size = f"{side}x{side}"
        subprocess.run(
            [
                *(imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", "10", "-i", "-"),
                *("-c:v", "libx264", "-crf", "34", "-pix_fmt", "yuv420p", "-threads", "1"),
                *("-fflags", "+bitexact", "-flags:v", "+bitexact", str(file)),
            ],
            input=frames,
            check=True,
        )
        data = file.read_bytes()
    if not quicktime:
        return data + _box(b"uuid", _XMP_UUID + packet)
    # ffmpeg writes the film's description last, so that nothing moves when it grows.
    start = data.index(b"moov") - 4
    (length,) = struct.unpack_from(">I", data, start)
    if start + length != len(data):
        raise ValueError("the film's description is not at its end")
    return data[:start] + _box(b"moov", data[start + 8 :] + _box(b"udta", _box(b"XMP_", packet)))


def layered(picture: Image.Image, packet: bytes) -> bytes:
    """A Photoshop document of two layers, as "Adobe Photoshop File Formats" describes it."""
    width, height = picture.size
    planes = [np.asarray(band).tobytes() for band in picture.split()]
    record = struct.pack(">4iH", 0, 0, height, width, len(planes))
    for channel in range(len(planes)):
        record += struct.pack(">hI", channel, 2 + width * height)
    records, pixels = b"", b""
    for name in ("photo", "colours"):
        extra = struct.pack(">II", 0, 0) + _pascal(name, 4)
        record_end = b"8BIMnorm" + struct.pack(">BBBBI", 255, 0, 0, 0, len(extra)) + extra
        records += record + record_end
        # Not compressed.
        pixels += b"".join(b"\0\0" + plane for plane in planes)
    layers = struct.pack(">h", 2) + records + pixels
    layers += bytes(len(layers) % 2)
    section = struct.pack(">I", len(layers)) + layers + struct.pack(">I", 0)
    resource = b"8BIM" + struct.pack(">H", 0x0424) + _pascal("", 2)
    resource += struct.pack(">I", len(packet)) + packet + bytes(len(packet) % 2)
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, len(planes), height, width, 8, 3)
    parts = (b"", resource, section)
    return (
        header + b"".join(struct.pack(">I", len(p)) + p for p in parts) + b"\0\0" + b"".join(planes)
    )


def pages(pictures: list[tuple[Image.Image, str, bytes]]) -> bytes:
    """A TIFF of several pages, each with its own artist and XMP."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for picture, artist, packet in pictures:
            writer.write(
                np.asarray(picture),
                photometric="rgb",
                compression="deflate",
                software=False,
                metadata=None,
                extratags=[
                    (_ARTIST_TAG, 2, 0, artist.encode(), True),
                    (_XMP_TAG, 1, len(packet), packet, True),
                ],
            )
    return buffer.getvalue()


def raw(picture: Image.Image, artist: str, packet: bytes) -> bytes:
    """A DNG 1.4: what a sensor under a Bayer filter would have seen of the picture."""
    colours = np.asarray(picture)
    mosaic = colours[:, :, 1].copy()
    mosaic[0::2, 0::2] = colours[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = colours[1::2, 1::2, 2]
    matrix = [10000, 10000, 0, 10000, 0, 10000, 0, 10000, 10000, 10000, 0, 10000]
    matrix += [0, 10000, 0, 10000, 10000, 10000]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(
            mosaic,
            photometric="cfa",
            compression="deflate",
            software=False,
            metadata=None,
            extratags=[
                (_ARTIST_TAG, 2, 0, artist.encode(), True),
                (_XMP_TAG, 1, len(packet), packet, True),
                (33421, 3, 2, (2, 2), True),  # CFARepeatPatternDim
                (33422, 1, 4, bytes((0, 1, 1, 2)), True),  # CFAPattern
                (50706, 1, 4, bytes((1, 4, 0, 0)), True),  # DNGVersion
                (50707, 1, 4, bytes((1, 1, 0, 0)), True),  # DNGBackwardVersion
                (50708, 2, 0, b"Vouchsafe Made-up Camera", True),  # UniqueCameraModel
                (50721, 10, 9, tuple(matrix), True),  # ColorMatrix1
                (50778, 3, 1, 21, True),  # CalibrationIlluminant1: D65
            ],
        )
    return buffer.getvalue()


def document(picture: Image.Image, packet: bytes, author: str, keywords: str) -> bytes:
    """A PDF of one page with the picture on it."""
    page = io.BytesIO()
    picture.save(page, "PDF", quality=60)
    writer = pypdf.PdfWriter(clone_from=page)
    writer.metadata = {"/Author": author, "/Keywords": keywords}
    stream = DecodedStreamObject()
    stream.set_data(packet)
    stream[NameObject("/Type")] = NameObject("/Metadata")
    stream[NameObject("/Subtype")] = NameObject("/XML")
    writer.root_object[NameObject("/Metadata")] = writer._add_object(stream)  # noqa: SLF001
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def drawing(packet: bytes) -> bytes:
    """An SVG with its XMP in `metadata`."""
    return (
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40">\n<metadata>'
        + packet
        + b'</metadata>\n<rect width="60" height="40" fill="#036"/>'
        b'<circle cx="30" cy="20" r="12" fill="#fc0"/>\n</svg>\n'
    )


def _box(kind: bytes, inside: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def _pascal(text: str, multiple: int) -> bytes:
    data = bytes([len(text)]) + text.encode()
    return data + bytes(-len(data) % multiple)
