"""All texts of documents: PDF, Office, OpenDocument, EPUB, OLE, PNG and GIF; files made here."""

import io
import struct
import zipfile
import zlib

import pytest

from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"
LEGACY = "Иван Петров"


def pdf(*objects: bytes, info: int = 4, catalog: bytes = b"", page: bytes = b"") -> bytes:
    """A PDF of one page, whose further objects have the numbers from 4."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]" + page + b">>",
        *objects,
    ]
    out = b"%PDF-1.7\n"
    places = []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + part + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table
    named = b"/Info %d 0 R" % info if info else b""
    out += b"trailer<</Size %d/Root 1 0 R" % (len(parts) + 1) + named
    return out + b">>\nstartxref\n%d\n%%%%EOF\n" % start


def utf16(text: str) -> bytes:
    return b"<FEFF" + text.encode("utf-16-be").hex().encode() + b">"


@pytest.mark.parametrize(
    ("author", "more", "found"),
    [
        (b"(Zoe Winter)", b"", "Zoe Winter"),
        (b"5 0 R", b"(Zoe Winter)", "Zoe Winter"),
        (b"5 0 R", b"6 0 R", ""),
        (utf16(NAME), b"", NAME),
        (b"(\xef\xbb\xbf" + NAME.encode() + b")", b"", NAME),
        (b"(" + NAME.encode() + b")", b"", NAME),
        (b"(Zo\xeb Winter)", b"", NAME),
        (b"(" + LEGACY.encode("cp1251") + b")", b"", LEGACY),
        (b"(" + "鈴木 花子".encode("euc_jp") + b")", b"", "鈴木 花子"),
        (b"/Zoe#20Winter", b"", "Zoe Winter"),
        (b"[(Bo)(Zoe Winter)]", b"", "Zoe Winter"),
        (b"[5 0 R]", b"(Zoe Winter)", "Zoe Winter"),
        (b"(Zo\x9f Winter)", b"", "Zo"),
    ],
)
def test_an_author_of_a_pdf(author, more, found):
    made = pdf(b"<</Title(x)/Author " + author + b">>", *([more] if more else []))
    assert found in " | ".join(texts(made).get("PDF:Author", [""]))


def test_every_entry_of_the_information_dictionary():
    made = pdf(b"<</Title(Of Bo)/Subject(Of Cy)/Keywords(Di, Ed)/Creator(Flo)/Own(Gus)>>")
    assert texts(made) == {
        "PDF:Title": ["Of Bo"],
        "PDF:Subject": ["Of Cy"],
        "PDF:Keywords": ["Di, Ed"],
        "PDF:Creator": ["Flo"],
        "PDF:Own": ["Gus"],
    }
    assert collected(made).note is None


def test_outlines_annotations_fields_and_signatures_of_a_pdf():
    made = pdf(
        b"<</First 5 0 R/Last 6 0 R>>",
        b"<</Title(Chapter of Bo)/Next 6 0 R/First 7 0 R>>",
        b"<</Title " + utf16(f"About {NAME}") + b"/Next 5 0 R>>",
        b"<</Title(Section of Cy)/Parent 5 0 R>>",
        b"<</Subtype/Text/T(Di)/Contents(Ask Ed)/Subj(For Flo)>>",
        b"<</Fields[10 0 R 11 0 R]>>",
        b"<</FT/Tx/T(guest)/V(Gus)/TU(Name of the guest)/Kids[10 0 R]>>",
        b"<</FT/Sig/T(signed)/V<</Type/Sig/Name(Hal)/Reason(I agree)>>>>",
        info=0,
        catalog=b"/Outlines 4 0 R/AcroForm 9 0 R",
        page=b"/Annots[8 0 R 10 0 R 99 0 R]",
    )
    assert texts(made) == {
        "PDF:Outline": ["Chapter of Bo", "Section of Cy", f"About {NAME}"],
        "PDF:Annotation/Author": ["Di"],
        "PDF:Annotation/Contents": ["Ask Ed"],
        "PDF:Annotation/Subject": ["For Flo"],
        "PDF:Field/Title": ["guest", "signed"],
        "PDF:Field/Value": ["Gus"],
        "PDF:Field/Name": ["Name of the guest"],
        "PDF:Signature/Name": ["Hal"],
        "PDF:Signature/Reason": ["I agree"],
    }
    assert collected(made).note is None


def test_an_entry_that_refers_to_itself_costs_the_entry():
    made = pdf(b"<</Author 5 0 R/Title(Bo)>>", b"5 0 R")
    assert texts(made)["PDF:Title"] == ["Bo"]
    assert collected(made).note in {None, "metadata-unreadable"}


def test_hostile_pdfs():
    circle = [b"<</Title(%d)/Next %d 0 R/First 5 0 R>>" % (n, n + 6) for n in range(2000)]
    made = pdf(b"<</First 5 0 R>>", *circle, info=0, catalog=b"/Outlines 4 0 R")
    assert len(texts(made)["PDF:Outline"]) == 2000
    tree = pdf(b"<</Kids[2 0 R 4 0 R]>>", info=0).replace(b"/Kids[3 0 R]", b"/Kids[4 0 R]")
    assert collected(tree).note in {None, "metadata-unreadable"}
    deep = pdf(b"[" * 3000 + b"]" * 3000, info=0, catalog=b"/Outlines 4 0 R")
    assert collected(deep).note in {None, "metadata-unreadable"}
    broken = pdf(b"<</First 5 0 R>>", b"<</Title(Bo)/Next (x", info=0, catalog=b"/Outlines 4 0 R")
    assert collected(broken).note in {None, "metadata-unreadable"}


def package(*parts: tuple[str, str], comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.comment = comment
        for name, part in parts:
            made.writestr(name, f"<?xml version='1.0'?>{part}")
    return buffer.getvalue()


CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>Bo</dc:creator>'
    "<dc:title>Of Cy</dc:title><dc:description>For Di</dc:description><cp:lastModifiedBy>"
    "Ed</cp:lastModifiedBy><cp:category>Flo</cp:category></cp:coreProperties>"
)
APP = (
    '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties">'
    "<Company>Gus</Company><Manager>Hal</Manager></Properties>"
)
CUSTOM = (
    '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
    'xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"><property '
    'name="Client"><vt:lpwstr>Ida</vt:lpwstr></property></Properties>'
)
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
COMMENTS = (
    f'<w:comments {W}><w:comment w:author="Jo" w:initials="J"><w:t>Ask Kim</w:t></w:comment>'
    "</w:comments>"
)
BODY = f'<w:document {W}><w:t>The text</w:t><w:ins w:author="Lee"><w:t>x</w:t></w:ins></w:document>'
PERSONS = (
    '<personList xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments">'
    '<person displayName="Max" userId="max@example.org"/></personList>'
)
SHEET_COMMENTS = (
    '<comments xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><authors>'
    "<author>Nel</author></authors></comments>"
)
AUTHORS = '<p:cmAuthorLst xmlns:p="urn:p"><p:cmAuthor name="Olaf" initials="O"/></p:cmAuthorLst>'
STRICT = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
WORKBOOK = '<workbook><fileSharing userName="Pia"/><sheets><sheet name="x"/></sheets></workbook>'
EVERY = {"Bo", "Of Cy", "For Di", "Ed", "Flo", "Gus", "Hal", "Ida"}


@pytest.mark.parametrize(
    ("parts", "people"),
    [
        ((("word/comments.xml", COMMENTS), ("word/document.xml", BODY)), {"Jo", "Ask Kim", "Lee"}),
        ((("xl/persons/person.xml", PERSONS),), {"Max", "max@example.org"}),
        ((("xl/comments1.xml", SHEET_COMMENTS),), {"Nel"}),
        ((("ppt/commentAuthors.xml", AUTHORS),), {"Olaf"}),
        ((("word/document.xml", BODY.replace(W, STRICT)),), {"Lee"}),
        ((("xl/workbook.xml", WORKBOOK),), {"Pia"}),
    ],
)
@pytest.mark.parametrize("typed", [True, False])
def test_office(parts, people, typed):
    kind = ("[Content_Types].xml", "<Types/>")
    # Some writers begin with a part that does not tell the type.
    first = [kind] if typed else [("a.xml", f"<a>{'x' * 20_000}</a>"), kind]
    properties = [
        ("docProps/core.xml", CORE),
        ("docProps/app.xml", APP),
        ("docProps/custom.xml", CUSTOM),
    ]
    made = package(*first, *parts, *properties)
    found = texts(made)
    every = {text for some in found.values() for text in some}
    assert EVERY | people <= every
    assert not {"The text", "x"} & every
    assert found["custom:Client"] == ["Ida"]
    assert found["cp:lastModifiedBy"] == ["Ed"]
    assert collected(made).note is None


ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)


def test_open_document():
    meta = (
        f"<office:document-meta {ODF}><office:meta><dc:creator>Bo</dc:creator><dc:title>Of Cy"
        '</dc:title><meta:initial-creator>Di</meta:initial-creator><meta:user-defined meta:name="'
        'Client">Ed</meta:user-defined></office:meta></office:document-meta>'
    )
    content = (
        f"<office:document-content {ODF}><text:p>The text<office:annotation><dc:creator>Flo"
        "</dc:creator><text:p>Ask Gus</text:p></office:annotation></text:p><office:change-info>"
        "<dc:creator>Hal</dc:creator></office:change-info></office:document-content>"
    )
    made = package(("mimetype", ""), ("meta.xml", meta), ("content.xml", content))
    assert texts(made) == {
        "dc:creator": ["Bo", "Flo", "Hal"],
        "dc:title": ["Of Cy"],
        "meta:initial-creator": ["Di"],
        "custom:Client": ["Ed"],
        "text:p": ["Ask Gus"],
    }


def test_epub_and_comments_of_a_zip():
    book = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>Bo</dc:creator><dc:title>Of Cy'
        '</dc:title><meta property="file-as">Di</meta></metadata></package>'
    )
    made = package(("OEBPS/content.opf", book), comment=NAME.encode("cp1252"))
    found = texts(made)
    assert NAME in found["ZIP:comment"]
    assert (found["dc:creator"], found["dc:title"], found["opf:meta"]) == (
        ["Bo"],
        ["Of Cy"],
        ["Di"],
    )


def test_hostile_packages():
    many = "".join(f"<a>{number}x</a>" for number in range(90_000))
    found = collected(package(("docProps/core.xml", f"<p>{many}</p>")))
    assert found.note in {"metadata-too-large", "metadata-cut"}
    deep = collected(package(("meta.xml", "<a>" * 90_000 + "Bo" + "</a>" * 90_000)))
    assert [text.text for text in deep.texts] == ["Bo"]


def png(*chunks: tuple[bytes, bytes], behind: tuple[bytes, bytes] | None = None) -> bytes:
    head = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(b"\0\0"))
    parts = [head, *chunks, pixels, *([behind] if behind else []), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def test_text_of_a_png():
    made = png(
        (b"tEXt", b"Author\0" + NAME.encode("latin-1")),
        (b"tEXt", b"Author\0Bo"),
        (b"tEXt", b"Source\0" + LEGACY.encode("cp1251")),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"With Cy")),
        (b"iTXt", b"Title\0\0\0de\0Titel\0" + NAME.encode()),
        (b"iTXt", b"Description\0\1\0\0\0" + zlib.compress("Für Di".encode())),
        behind=(b"tEXt", b"Warning\0Ed"),
    )
    found = texts(made)
    assert NAME in found["PNG:Author"]
    assert "Bo" in found["PNG:Author"]
    assert LEGACY in found["PNG:Source"]
    assert found["PNG:Comment"] == ["With Cy"]
    assert found["PNG:Title"] == ["Titel", NAME]
    assert found["PNG:Description"] == ["Für Di"]
    assert found["PNG:Warning"] == ["Ed"]
    assert collected(made).note is None
    broken = png((b"zTXt", b"Comment\0\0not packed"))
    assert collected(broken).note == "metadata-unreadable"
    bomb = png((b"zTXt", b"Comment\0\0" + zlib.compress(b"x y" * 20_000_000)))
    # Exiv2 refuses the bomb as well.
    assert collected(bomb).note in {"metadata-unreadable", "metadata-too-large"}


def blocks(data: bytes) -> bytes:
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def test_comments_of_a_gif():
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    start = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
    loop = b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    long = f"{NAME} {'x ' * 300}"
    made = (
        start
        + loop
        + (b"!\xfe" + blocks(LEGACY.encode("cp1251")))
        + frame
        + (b"!\xfe" + blocks(long.encode()))
        + (b"!\x01\x0c" + bytes(12) + blocks(b"Plain Bo"))
        + frame
        + b";"
    )
    found = texts(made)
    assert LEGACY in found["GIF:Comment"]
    assert long.strip() in found["GIF:Comment"]
    assert found["GIF:PlainText"] == ["Plain Bo"]
    assert collected(made).note is None
    assert collected(made[:-20]).note == "metadata-unreadable"
