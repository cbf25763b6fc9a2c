"""Thumbnails: small, upright, without metadata; what cannot be rendered costs a note."""

import base64
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from shared.metadata import parsing
from shared.metadata.worker.result import Thumbnail

SAMPLES = Path(__file__).parents[2] / "samples"
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def rendered(data):
    thumbnail = parsing.render(data)
    assert thumbnail.note is None
    picture = Image.open(io.BytesIO(base64.b64decode(thumbnail.jpeg)), formats=["JPEG"])
    picture.load()
    return picture


def saved(picture, kind, **given):
    file = io.BytesIO()
    picture.save(file, kind, **given)
    return file.getvalue()


def quarters(size=(400, 200)):
    """A picture whose quarters, from the upper left, are red, green, blue and white."""
    width, height = size[0] // 2, size[1] // 2
    picture = Image.new("RGB", size, WHITE)
    for place, colour in (((0, 0), RED), ((width, 0), GREEN), ((0, height), BLUE)):
        picture.paste(Image.new("RGB", (width, height), colour), place)
    return picture


def corners(picture):
    """The colours in the middles of a picture's quarters, each channel rounded to 0 or 255."""
    width, height = picture.size
    places = [(x * width // 4, y * height // 4) for y in (1, 3) for x in (1, 3)]
    return [tuple(255 * (c > 127) for c in picture.getpixel(place)) for place in places]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("astronaut.jpg", (256, 256)),
        ("astronaut.tif", (128, 128)),
        ("broken-metadata.jpg", (256, 171)),
        ("coffee.avif", (256, 171)),
        ("coffee.webp", (256, 171)),
        ("launch.png", (200, 133)),
        ("layers.psd", (48, 32)),
        ("pages.tif", (80, 53)),
    ],
)
def test_samples_are_rendered(name, size):
    assert rendered((SAMPLES / name).read_bytes()).size == size


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), (1, 1)),
        ((256, 256), (256, 256)),
        ((257, 10), (256, 10)),
        ((3000, 2), (256, 1)),
        ((2, 60_000), (1, 256)),
        ((12_000, 9_000), (256, 192)),
    ],
)
def test_no_side_is_longer_than_256_pixels(size, expected):
    assert rendered(saved(Image.new("L", size), "JPEG")).size == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_is_shown_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = rendered(saved(quarters(), kind, exif=exif))
    expected = {
        2: [GREEN, RED, WHITE, BLUE],
        3: [WHITE, BLUE, GREEN, RED],
        4: [BLUE, WHITE, RED, GREEN],
        5: [RED, BLUE, GREEN, WHITE],
        6: [BLUE, RED, WHITE, GREEN],
        7: [WHITE, GREEN, BLUE, RED],
        8: [GREEN, WHITE, RED, BLUE],
    }
    assert corners(picture) == expected.get(orientation, [RED, GREEN, BLUE, WHITE])
    assert picture.size == ((128, 256) if orientation in range(5, 9) else (256, 128))


@pytest.mark.parametrize("mode", ["1", "P", "L", "CMYK", "I;16", "F", "LAB"])
def test_a_tiff_of_every_mode_is_shown_upright(mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert rendered(saved(Image.new(mode, (400, 200)), "TIFF", exif=exif)).size == (128, 256)
    if mode in {"P", "CMYK"}:
        picture = rendered(saved(quarters().convert(mode), "TIFF", exif=exif))
        assert corners(picture) == [BLUE, RED, WHITE, GREEN]


def test_no_metadata_is_left():
    exif = Image.Exif()
    exif[0x013B], exif[0x010E] = "Nora Hahn", "Nora Hahn at the sea"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>Nora Hahn</x:xmpmeta>"
    profile = b"Nora Hahn's screen" * 20
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF"):
        given = {"comment": b"Nora Hahn"} if kind in ("JPEG", "GIF") else {}
        if kind != "GIF":
            given |= {"exif": exif, "xmp": xmp, "icc_profile": profile}
        data = saved(quarters(), kind, **given)
        assert b"Nora Hahn" in data
        jpeg = base64.b64decode(parsing.render(data).jpeg)
        assert b"Nora" not in jpeg
        assert set(rendered(data).info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert rendered(data).getexif() == {}


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *(("1", kind) for kind in ("PNG", "TIFF", "BMP")),
        *(("L", kind) for kind in ("JPEG", "PNG", "TIFF", "GIF", "BMP")),
        *(("LA", kind) for kind in ("PNG", "TIFF")),
        *(("P", kind) for kind in ("PNG", "TIFF", "GIF", "BMP")),
        *(("RGBA", kind) for kind in ("PNG", "TIFF", "WEBP", "AVIF", "JPEG2000")),
        *(("CMYK", kind) for kind in ("JPEG", "TIFF")),
        ("LAB", "TIFF"),
        ("YCbCr", "JPEG"),
        *(("I;16", kind) for kind in ("PNG", "TIFF", "JPEG2000")),
        ("I;16B", "TIFF"),
        *(("I", "TIFF"), ("F", "TIFF")),
    ],
)
def test_pictures_of_every_mode_are_rendered(mode, kind):
    deep = mode.startswith("I") or mode == "F"
    if mode == "LAB":
        picture = Image.merge("LAB", quarters().split())
    elif deep:
        picture = quarters().convert("L").convert("I").point(lambda v: v * 257)
        picture = picture.convert(mode) if mode != "I" else picture
    else:
        picture = quarters().convert(mode)
    made = rendered(saved(picture, kind))
    assert made.size == (256, 128)
    if mode in {"P", "RGBA", "CMYK", "YCbCr"}:
        assert corners(made) == [RED, GREEN, BLUE, WHITE]
    elif mode not in {"1", "LAB"}:
        # Blue and red are dark in grey, green is light.
        assert [corner[0] for corner in corners(made)] == [0, 255, 0, 255]


@pytest.mark.parametrize("colour", [(0, 0, 0, 0), (255, 255, 255, 0)])
def test_what_is_transparent_shows_the_ground(colour):
    assert rendered(saved(Image.new("RGBA", (9, 9), colour), "PNG")).getpixel((4, 4)) == (200,) * 3
    drawing = Image.new("RGBA", (9, 9), (*colour[:3], 255))
    assert rendered(saved(drawing, "PNG")).getpixel((4, 4)) == colour[:3]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_the_first_picture_of_many_is_shown(kind):
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, GREEN, BLUE)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert corners(rendered(data))[0] == RED


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000"])
def test_a_picture_that_ends_early_is_unreadable(kind):
    data = saved(Image.effect_noise((300, 200), 90).convert("RGB"), kind)
    for end in (0, 1, 20, len(data) // 2):
        assert parsing.render(data[:end]).note == "unreadable"


@pytest.mark.parametrize(
    "data", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"P6 1 1 255 abc"]
)
def test_another_type_is_unreadable(data):
    assert parsing.render(data) == Thumbnail(note="unreadable")


def png(width, height, *chunks, colour=b"\x08\x02"):
    """A PNG whose header says this size."""
    head = struct.pack(">II", width, height) + colour + b"\x00\x00\x00"
    pieces = [(b"IHDR", head), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in pieces
    )


def with_size(jpeg, width, height):
    """The JPEG, whose header says another size."""
    place = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2")) + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


def tiff(width, height):
    """A TIFF whose header says this size."""
    data = saved(Image.new("1", (16, 16)), "TIFF")
    for tag, size in ((256, width), (257, height)):
        place = data.find(struct.pack("<HHI", tag, 4, 1))
        assert place > 0
        data = data[: place + 8] + struct.pack("<I", size) + data[place + 12 :]
    return data


SMALL = Image.new("RGB", (64, 64), RED)
BOMBS = {
    "png of 100,000 x 100,000": png(100_000, 100_000, (b"IDAT", zlib.compress(bytes(10_000_000)))),
    "png of 2^31 - 1": png(2**31 - 1, 2**31 - 1, (b"IDAT", zlib.compress(b"0"))),
    "progressive jpeg of 65,000 x 65,000": with_size(
        saved(SMALL, "JPEG", progressive=True), 65_000, 65_000
    ),
    "gif of 65,535 x 65,535": saved(SMALL, "GIF").replace(
        struct.pack("<HH", 64, 64), struct.pack("<HH", 65_535, 65_535)
    ),
    "bmp of 1,000,000 x 1,000,000": saved(SMALL, "BMP").replace(
        struct.pack("<ii", 64, 64), struct.pack("<ii", 1_000_000, 1_000_000)
    ),
    "tiff of 200,000 x 200,000": tiff(200_000, 200_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_a_note(name):
    thumbnail = parsing.render(BOMBS[name])
    assert thumbnail == Thumbnail(note="too-large")
    assert rendered(saved(SMALL, "PNG")).size == (64, 64)


def test_a_large_picture_that_fits_is_rendered_and_a_larger_picture_is_not():
    assert rendered(saved(Image.new("RGB", (9_900, 9_900)), "PNG")).size == (256, 256)
    assert parsing.render(saved(Image.new("L", (10_100, 10_100)), "PNG")).note == "too-large"
    assert parsing.render(saved(Image.new("L", (10_100, 10_100)), "JPEG")).note is None
    progressive = saved(Image.new("RGB", (6_900, 6_900)), "JPEG", progressive=True, subsampling=0)
    assert rendered(progressive).size == (256, 256)


def test_a_bomb_of_text_within_a_picture_costs_a_note():
    text = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 * 1024 * 1024)))
    thumbnail = parsing.render(png(1, 1, text, (b"IDAT", zlib.compress(bytes(4)))))
    assert thumbnail.note in {"too-large", "unreadable"}


def test_broken_exif_leaves_the_picture_as_it_lies():
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0"):
        assert corners(rendered(saved(quarters(), "JPEG", exif=exif)))[0] == RED
