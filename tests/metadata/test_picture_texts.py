"""All texts of a picture: XMP in every namespace, IPTC-IIM, EXIF, comments, makers' notes."""

import struct

import exiv2
import pytest

from tests.metadata.test_parsing import with_metadata
from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"


def iptc(*datasets: tuple[int, bytes]) -> bytes:
    """A record of Photoshop's with datasets of IPTC-IIM."""
    body = b"".join(struct.pack(">BBBH", 0x1C, 2, tag, len(raw)) + raw for tag, raw in datasets)
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(body)) + body + bytes(len(body) % 2)


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """A picture that begins with the segments."""
    picture = with_metadata()
    parts = (struct.pack(">BBH", 0xFF, kind, len(raw) + 2) + raw for kind, raw in segments)
    return picture[:2] + b"".join(parts) + picture[2:]


def element(name: str, inside: str, namespace: str = "urn:made-up") -> str:
    """A property of XMP, or a field of a structure."""
    return f"<{name} xmlns:{name.partition(':')[0]}='{namespace}'>{inside}</{name}>"


def structure(*members: str) -> str:
    return f"<rdf:Description>{''.join(members)}</rdf:Description>"


def array(kind: str, *items: str) -> str:
    """An array; the items of an array of alternatives are in languages."""
    mark = " xml:lang='en'" if kind == "Alt" else ""
    inside = "".join(f"<rdf:li{mark}>{item}</rdf:li>" for item in items)
    return f"<rdf:{kind}>{inside}</rdf:{kind}>"


DC = "http://purl.org/dc/elements/1.1/"
CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
WITH_DETAILS = "Iptc4xmpExt:PersonInImageWDetails"
CAPTION = element("e:PersonDescription", array("Alt", NAME), EXT)
PET = element("r:Name", NAME, REGIONS) + element("r:Type", "Pet", REGIONS)
PETS = structure(element("r:RegionList", array("Bag", structure(PET)), REGIONS))


@pytest.mark.parametrize(
    ("field", "xmp"),
    [
        ("dc:description", element("d:description", array("Alt", NAME), DC)),
        ("dc:title", element("dc:title", NAME, DC)),
        ("photoshop:Headline", element("p:Headline", NAME, "http://ns.adobe.com/photoshop/1.0/")),
        ("getty:Personality", element("getty:Personality", array("Bag", NAME))),
        ("my:a/b/c", element("my:a", structure(element("my:b", structure(element("my:c", NAME)))))),
        ("my:a/b", element("my:a", array("Seq", structure(element("my:b", array("Alt", NAME)))))),
        (
            f"{WITH_DETAILS}/PersonDescription",
            element("e:PersonInImageWDetails", array("Bag", structure(CAPTION)), EXT),
        ),
        (
            "Iptc4xmpCore:AltTextAccessibility",
            element("c:AltTextAccessibility", array("Alt", NAME), CORE),
        ),
        ("mwg-rs:Regions/RegionList/Name", element("r:Regions", PETS, REGIONS)),
    ],
)
def test_a_property_of_xmp(field, xmp):
    assert texts(with_metadata(xmp=xmp))[field] == [NAME]


def test_settings_and_ids_are_no_texts():
    settings = "http://ns.adobe.com/camera-raw-settings/1.0/"
    xmp = (
        element("c:Exposure2012", "+0.50", settings)
        + element("c:HasCrop", "False", settings)
        + element("my:Of", "xmp.did:01234567-89ab-cdef-0123-456789abcdef")
        + element("xmp:CreateDate", "2024-05-06T07:08:09+02:00", "http://ns.adobe.com/xap/1.0/")
        + element("my:image", "Zm9v" * 1000)
    )
    assert texts(with_metadata(xmp=xmp)) == {}


@pytest.mark.parametrize("tag", [5, 40, 105, 115, 120, 121, 231])
def test_a_dataset_of_iptc(tag):
    [(field, found)] = texts(jpeg((0xED, b"Photoshop 3.0\0" + iptc((tag, NAME.encode()))))).items()
    assert field.startswith(f"IPTC:2:{tag} ")
    assert found == [NAME]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        (NAME, "cp1252"),
        (NAME, "mac_roman"),
        ("Łucja Żółkiewska", "cp1250"),
        ("Łucja Żółkiewska", "mac_latin2"),
        ("Ирина Левина", "cp1251"),
        ("Ирина Левина", "mac_cyrillic"),
        ("Ирина Левина", "koi8_r"),
        ("Ζωή Παππά", "cp1253"),
        ("Işıl Şahin", "cp1254"),
        ("יעל כהן", "cp1255"),
        ("فاطمة حسن", "cp1256"),
        ("Jānis Bērziņš", "cp1257"),
        ("鈴木 花子", "cp932"),
        ("鈴木 花子", "euc_jp"),
        ("鈴木 花子", "iso2022_jp"),
        ("王小明", "gbk"),
        ("陳美玲", "big5"),
        ("김민수", "euc_kr"),
    ],
)
def test_a_by_line_in_an_encoding_that_nothing_declares(name, encoding):
    raw = name.encode(encoding)
    readings = texts(jpeg((0xED, b"Photoshop 3.0\0" + iptc((80, raw)))))["IPTC:2:80 By-line"]
    assert name in readings
    assert len(readings) == len(set(readings)) <= 26
    assert name in texts(jpeg((0xFE, raw)))["JPEG:Comment"]


def test_utf8_has_one_reading():
    [text] = collected(jpeg((0xFE, NAME.encode()))).texts
    assert text.readings == ()


def test_every_comment_and_every_record_of_iptc():
    records = [(0xED, b"Photoshop 3.0\0" + iptc((80, f"By {n}".encode()))) for n in range(3)]
    comments = [(0xFE, f"With {n}\0".encode()) for n in range(3)]
    found = texts(jpeg(*records, *comments))
    assert found["IPTC:2:80 By-line"] == ["By 0", "By 1", "By 2"]
    assert found["JPEG:Comment"] == ["With 0", "With 1", "With 2"]


COMMENT = "Exif.Photo.UserComment"
BABY = b"Zoe Winter\0\0"
FACES = b"\1\0" + b"Zoe Winter".ljust(20, b"\0") + b"\5\0\6\0"


@pytest.mark.parametrize(
    ("field", "key", "value"),
    [
        ("Exif:ImageDescription", "Exif.Image.ImageDescription", NAME),
        ("Exif:DocumentName", "Exif.Image.DocumentName", NAME),
        ("Exif:HostComputer", "Exif.Image.HostComputer", NAME),
        ("Exif:Copyright", "Exif.Image.Copyright", b"Bo\0" + NAME.encode("cp1252") + b"\0"),
        ("Exif:Artist", "Exif.Image.Artist", NAME.encode("utf-16-le")),
        ("Exif:XPComment", "Exif.Image.XPComment", NAME.encode("utf-16-le")),
        ("Exif:XPTitle", "Exif.Image.XPTitle", NAME.encode("utf-16-le") + b"\0\0"),
        ("Exif:UserComment", COMMENT, f"charset=Unicode {NAME}"),
        ("Exif:UserComment", COMMENT, "charset=Ascii Zoe Winter"),
        ("Exif:UserComment", COMMENT, bytes(8) + NAME.encode()),
        ("Exif:UserComment", COMMENT, b"UNICODE\0" + NAME.encode("utf-16-be")),
        ("Exif:UserComment", COMMENT, b"UNICODE\0" + NAME.encode()),
        ("Exif:UserComment", COMMENT, b"JIS\0\0\0\0\0" + "鈴木".encode("iso2022_jp")),
        ("Exif:ImageHistory", "Exif.Image.ImageHistory", NAME),
        ("Exif:BodySerialNumber", "Exif.Photo.BodySerialNumber", "4711-0815"),
        ("Canon:OwnerName", "Exif.Canon.OwnerName", "Zoe Winter"),
        ("Panasonic:BabyName", "Exif.Panasonic.BabyName", BABY),
        ("Panasonic:FaceRecInfo", "Exif.Panasonic.FaceRecInfo", FACES),
    ],
)
def test_a_tag_of_exif(field, key, value):
    group = key.split(".")[1]
    make = [("Exif.Image.Make", group)] if group in ("Canon", "Panasonic") else []
    value = exiv2.DataValue(value) if isinstance(value, bytes) else value
    found = texts(with_metadata(exif=[*make, (key, value)]))[field]
    assert {NAME, "Zoe Winter", "鈴木", "4711-0815"} & set(found)


@pytest.mark.parametrize("kind", [1, 2, 7], ids=["byte", "ascii", "undefined"])
@pytest.mark.parametrize(
    "comment",
    [
        b"ASCII\0\0\0" + b"Zoe Winter",
        b"UNICODE\0" + "Zoe Winter".encode("utf-16-le"),
        bytes(8) + b"Zoe Winter",
        b"Zoe Winter in a hat",
    ],
)
def test_a_comment_of_exif_is_read_whatever_type_the_file_gives_it(kind, comment):
    head = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    tags = struct.pack("<HHHIII", 1, 0x9286, kind, len(comment), 44, 0)
    file = b"II*\0" + struct.pack("<I", 8) + head + tags + comment
    assert any("Zoe Winter" in text for text in texts(file)["Exif:UserComment"])


def test_text_of_exif_in_utf8():
    # A TIFF whose Artist is of the type of Exif 3.0.
    name = f"{NAME} 山田\0".encode()
    tags = struct.pack("<HHIIHHII", 0x100, 3, 1, 1, 0x13B, 129, len(name), 40)
    file = b"II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4)
    assert texts(file.ljust(40, b"\0") + name)["Exif:Artist"] == [f"{NAME} 山田"]


def test_400_people_of_one_picture_are_400_people():
    names = [f"Person {number:03} Winter" for number in range(400)]
    items = "".join(f"<rdf:li>{name}</rdf:li>" for name in names)
    xmp = f"<ext:PersonInImage><rdf:Bag>{items}</rdf:Bag></ext:PersonInImage>"
    metadata = collected(with_metadata(xmp=xmp))
    assert [text.text for text in metadata.texts] == names
    assert metadata.note is None


def test_texts_beyond_16_mib_are_cut_and_noted():
    comments = [(0xFE, f"{number:09}".encode() + bytes([97]) * 65_000) for number in range(300)]
    metadata = collected(jpeg(*comments))
    assert 250 < len(metadata.texts) < 260
    assert metadata.note == "metadata-cut"


def test_signs_that_no_json_has_are_cleaned():
    [text] = collected(jpeg((0xFE, b"\x01Zoe\x00\x1bWinter\x7f"))).texts
    assert text.text == "Zoe  Winter"
