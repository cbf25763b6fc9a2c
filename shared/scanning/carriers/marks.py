"""Find the marks of carriers at any offset of a file, in one pass and at the speed of yara-x.

A picture or a film costs this pass and no more. The marks that were found decide which readers run,
and where.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import IO, TYPE_CHECKING, Final

from shared.scanning.carriers import packed
from shared.scanning.carriers.parts import region
from shared.scanning.scanner import NotExamined, RefusedArchiveError

if TYPE_CHECKING:
    import yara_x

_OVERLAP: Final = 256
# Marks that alone are no sign of a carrier.
_PARTIAL: Final = frozenset(
    ("pdf_end", "pdf_encrypt", "uri", "rtf", "xmp", "xmp_end", "vorbis_picture")
)
MOST: Final = 200_000
"""Marks of one kind that are read in one file; that there are more is noted."""

_PATTERNS: Final[Mapping[str, str]] = {
    **packed.MARKS,
    "ole": "{ D0 CF 11 E0 A1 B1 1A E1 }",
    # A compressed container of VBA whose text begins with "Attribut".
    "vba": "{ 01 ?? (B? | 3?) 00 41 74 74 72 69 62 75 74 }",
    "pdf": '"%PDF-"',
    "pdf_stream": r"/[^d]stream[\r\n \t]/",
    "pdf_end": '"endstream"',
    "pdf_encrypt": r"/\/Encrypt[ \r\n\t\/<0-9]/",
    "iso": "{ 01 43 44 30 30 31 01 00 }",
    "cpio": "/07070[127][0-9A-Fa-f]{64}/",
    "ar": r"/!<arch>\n.{58}`\n/s",
    "tnef": "{ 78 9F 3E 22 }",
    "compressed_rtf": '"LZFu"',
    "mail": '"content-transfer-encoding" nocase',
    "begin": r"/begin(-base64)? [0-7]{3,4} /",
    "yenc": '"=ybegin line="',
    "uri": '"data:" nocase',
    "uri_base64": '";base64," nocase',
    "xmp": '"<x:xmpmeta"',
    "xmp_end": '"</x:xmpmeta>"',
    "vorbis_picture": '"METADATA_BLOCK_PICTURE=" nocase',
    "rtf": r'"{\\rt"',
    "rtf_object": r'"\\objdata"',
    "xar": "{ 78 61 72 21 00 1C 00 01 }",
    "lha": "/-l[hz][0-9dsx]-/",
    # Content that stays closed, and is noted.
    "note_encrypted_document": '"EncryptedPackage" wide',
    "note_encrypted_document_xml": '"http://www.w3.org/2001/04/xmlenc#"',
    "note_encrypted_document_odf": '"manifest:encryption-data"',
    "note_encrypted_mail": '"-----BEGIN PGP MESSAGE-----"',
    # The object identifier of enveloped data: RFC 5652 section 6.1.
    "note_encrypted_mail_cms": "{ 30 8? [0-4] 06 09 2A 86 48 86 F7 0D 01 07 03 A0 }",
    "note_mail_fragment": r"/content-type:[ \t]*message\/partial/i",
    "note_binhex": '"(This file must be converted with BinHex"',
    "note_installer": "{ EF BE AD DE 4E 75 6C 6C 73 6F 66 74 49 6E 73 74 }",
    "note_installer_inno": '"Inno Setup Setup Data ("',
    "note_installer_pyinstaller": "{ 4D 45 49 0C 0B 0A 0B 0E }",
    "note_packed_program": '"UPX!"',
}


class Marks:
    """The marks in a file, which is fed in chunks: for each kind, the places of its marks.

    Holds 256 bytes of the file, and eight bytes a mark.
    """

    def __init__(self) -> None:
        # Compiled rules may go from thread to thread, and a `yara_x.Scanner` may not.
        self._rules = _rules()
        self._tail = b""
        self._start = 0
        self._places: dict[str, array[int]] = {}
        self.first_left_out: int | None = None
        """The offset of the first mark beyond `MOST` of a kind; None when every mark is kept."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file, and find the marks that end in them."""
        tail = self._tail
        window = tail + chunk
        before = self._start - len(tail)
        self._start += len(chunk)
        self._tail = window[-_OVERLAP:]
        for rule in self._rules.scan(window).matching_rules:
            for pattern in rule.patterns:
                for match in pattern.matches:
                    # A mark within the tail was found with the chunk before.
                    if match.offset + match.length > len(tail):
                        self._keep(pattern.identifier[1:], before + match.offset)

    def places(self, kind: str) -> Sequence[int]:
        """Return the offsets of the marks of `kind`, in their order."""
        return self._places.get(kind, ())

    def _keep(self, kind: str, place: int) -> None:
        places = self._places.setdefault(kind, array("Q"))
        if len(places) < MOST:
            places.append(place)
        elif self.first_left_out is None:
            self.first_left_out = place

    def judge_unread(self) -> Iterator[NotExamined]:
        """Yield a note for a file that was too large to be kept, and that may hold files.

        The size of a file must not clear what would be found in a smaller file. Raises
        RefusedArchiveError, "archive-too-large", for the mark of an archive that chance does not
        make.
        """
        kinds = self._places.keys()
        if kinds & packed.SURE:
            raise RefusedArchiveError("archive-too-large")
        if any(not kind.startswith("note_") for kind in kinds - _PARTIAL):
            yield NotExamined("large-file", f"{self._start} bytes")


def marks_of(file: IO[bytes]) -> Marks:
    """Read `file` from its beginning to its end, and return its marks."""
    marks = Marks()
    for piece in region(file, 0):
        marks.feed(piece)
    return marks


@cache
def _rules() -> "yara_x.Rules":
    import yara_x

    strings = "\n".join(f"${name} = {pattern}" for name, pattern in _PATTERNS.items())
    compiler = yara_x.Compiler(includes_enabled=False)
    compiler.add_source(f"rule marks {{ strings: {strings} condition: any of them }}")
    return compiler.build()
