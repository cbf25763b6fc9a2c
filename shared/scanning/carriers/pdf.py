"""Decode the streams of a PDF: every stream, whether or not the file's tables name the stream.

Attachments, scripts, object streams and the revisions of incremental updates are streams. A reader
of PDF repairs damaged files in its own way, so the bytes alone decide here. Source: ISO 32000-1,
sections 7.3.8 and 7.4.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final

from shared.scanning.carriers import pdf_filters
from shared.scanning.carriers.parts import Gathered, region
from shared.scanning.examiners import Part
from shared.scanning.scanner import NotExamined

# Bytes before a stream in which its dictionary is looked for.
_BEFORE: Final = 16 * 1024
_OBJECT: Final = re.compile(rb"\d+\s+\d+\s+obj\b")
_COMMENT: Final = re.compile(rb"%[^\r\n]*")
_ESCAPE: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_FILTER: Final = re.compile(rb"/Filter\s*(\[[^\]]*\]|/[^\s/<>\[\]()]+|\d+\s+\d+\s+R\b)")
_NAME: Final = re.compile(rb"/([^\s/<>\[\]()]+)")
_NUMBERS: Final = re.compile(rb"/(Predictor|Columns|Colors|BitsPerComponent|EarlyChange)\s+(\d+)")
_PARAMETERS: Final = re.compile(
    rb"/DecodeParms\s*(\[(?:\s*(?:null|<<.*?>>)\s*)*\]|<<.*?>>|\d+\s+\d+\s+R\b)", re.DOTALL
)
_EACH: Final = re.compile(rb"null|<<.*?>>", re.DOTALL)
_REFERENCE: Final = re.compile(rb"(\d+)\s+(\d+)\s+R\b")
# Small objects to which a dictionary may refer for its filters.
_SMALL: Final = re.compile(
    rb"\b(\d{1,10})\s+\d+\s+obj\s*(\[[^\]]{0,200}\]|/[^\s/<>\[\]()]{1,40}|<<[^<>]{0,400}>>)\s*endobj"
)
_MAX_SMALL: Final = 10_000
_EMBEDDED: Final = re.compile(rb"/EmbeddedFile\b|/Subtype\s*/(?:application|text|message)")
_IMAGE: Final = re.compile(rb"/Subtype\s*/Image\b")
_NEWLINE: Final = re.compile(rb"[ \t]*(?:\r\n|\n|\r)?")


def streams(file: IO[bytes], places: Iterable[int]) -> Iterator[Part]:
    """Yield the decoded content of the streams whose keyword "stream" stands at `places`.

    A stream without a filter is not yielded: the scan of the file saw its bytes. A stream that
    cannot be decoded is noted.
    """
    gathered = Gathered()
    objects = _SmallObjects(file)
    for place in places:
        start, dictionary = _stream(file, place)
        for names in _readings(dictionary, objects):
            if names is None:
                yield NotExamined("pdf-stream", f"byte {place}")
                names = ["FlateDecode"]  # noqa: PLW2901 - the filter of most streams
            for variant in _decoded(file, start, names, dictionary, objects):
                if isinstance(variant, str):
                    yield NotExamined(variant, f"byte {place}")
                else:
                    own = _EMBEDDED.search(dictionary) is not None
                    yield from gathered.add(variant, own=own)
    yield from gathered.rest()


def _stream(file: IO[bytes], place: int) -> tuple[int, bytes]:
    """Return the first byte of the stream whose keyword stands at `place`, and its dictionary."""
    file.seek(max(0, place - _BEFORE))
    before = file.read(min(place, _BEFORE))
    start = place + len(b"stream")
    file.seek(start)
    newline = _NEWLINE.match(file.read(16))
    start += newline.end() if newline else 0
    *_, last = [0, *(found.end() for found in _OBJECT.finditer(before))]
    dictionary = _COMMENT.sub(b" ", before[last:])
    return start, _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), dictionary)


def _readings(dictionary: bytes, objects: "_SmallObjects") -> Iterator[Sequence[str] | None]:
    """Yield the filters of a dictionary, for each entry /Filter: readers differ in which counts.

    None stands for filters that cannot be told.
    """
    seen = []
    for found in _FILTER.finditer(dictionary):
        names = _names(found[1], objects)
        if names not in seen:
            seen.append(names)
            yield names


def _names(value: bytes, objects: "_SmallObjects") -> Sequence[str] | None:
    for reference in _REFERENCE.finditer(value):
        named = objects.get(int(reference[1]))
        if named is None:
            return None
        value = value.replace(reference[0], named)
    return [found[1].decode("latin-1") for found in _NAME.finditer(value)]


def _decoded(
    file: IO[bytes],
    start: int,
    names: Sequence[str],
    dictionary: bytes,
    objects: "_SmallObjects",
) -> Iterator[Iterator[bytes] | str]:
    """Yield the content that `names` decode, with predictors and without; or a note."""
    pieces: Iterator[bytes] = region(file, start)
    parameters = _parameters(dictionary, objects)
    predicted = None
    for number, name in enumerate(names):
        if name in pdf_filters.PICTURES:
            # The picture is a file of its own, or holds nothing but pixels.
            break
        decode = pdf_filters.FILTERS.get(name)
        if decode is None:
            yield "pdf-stream"
            break
        numbers = parameters[number] if number < len(parameters) else {}
        pieces = decode(pieces, numbers)
        if numbers.get("Predictor", 1) > 1:
            predicted = (number, numbers)
    if not names or names[0] in pdf_filters.PICTURES or names[0] not in pdf_filters.FILTERS:
        return
    if predicted is None:
        yield pieces
        return
    # The bytes as they are after the filters, and then as they are without the prediction.
    at, numbers = predicted
    raw = _again(file, start, names, parameters, upto=at)
    limit = pdf_filters.PIXELS if _IMAGE.search(dictionary) else pdf_filters.PREDICTED
    unpredicted = pdf_filters.unpredicted(raw, numbers, limit)
    for number in range(at + 1, len(names)):
        following = pdf_filters.FILTERS.get(names[number])
        if following is None:
            break
        unpredicted = following(unpredicted, {})
    yield unpredicted


def _again(
    file: IO[bytes],
    start: int,
    names: Sequence[str],
    parameters: Sequence[dict[str, int]],
    *,
    upto: int,
) -> Iterator[bytes]:
    pieces: Iterator[bytes] = region(file, start)
    for number, name in enumerate(names[: upto + 1]):
        numbers = parameters[number] if number < len(parameters) else {}
        pieces = pdf_filters.FILTERS[name](pieces, numbers)
    return pieces


def _parameters(dictionary: bytes, objects: "_SmallObjects") -> Sequence[dict[str, int]]:
    """Return the numbers of /DecodeParms for each filter."""
    found = _PARAMETERS.search(dictionary)
    if found is None:
        return []
    value = found[1]
    if reference := _REFERENCE.fullmatch(value):
        value = objects.get(int(reference[1])) or b""
    each = _EACH.findall(value)
    return [
        {key.decode(): min(int(number), 1 << 24) for key, number in _NUMBERS.findall(one)}
        for one in each
    ]


class _SmallObjects:
    """The small objects of a file, which are read when the first is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._objects: dict[int, bytes] | None = None

    def get(self, number: int) -> bytes | None:
        """Return the value of the object `number`, where the value is small and stands plain."""
        if self._objects is None:
            self._objects = {}
            tail = b""
            for piece in region(self._file, 0):
                window = tail + piece
                for found in _SMALL.finditer(window):
                    if len(self._objects) < _MAX_SMALL:
                        self._objects[int(found[1])] = found[2]
                tail = window[-1024:]
        return self._objects.get(number)
