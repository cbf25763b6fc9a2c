"""Decode the streams of a PDF: every stream, whether or not the file's tables name the stream.

Attachments, scripts, object streams and the revisions of incremental updates are streams. A reader
of PDF repairs damaged files in its own way, so the bytes alone decide here. Source: ISO 32000-1,
sections 7.3.8 and 7.4.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import IO, Final

from shared.scanning.carriers import pdf_filters
from shared.scanning.carriers.parts import Gathered, Part, region
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
_KNOWN: Final = pdf_filters.FILTERS.keys() | pdf_filters.PICTURES
_NEWLINE: Final = re.compile(rb"[ \t]*(?:\r\n|\n|\r)?")


def streams(file: IO[bytes], places: Iterable[int]) -> Iterator[Part]:
    """Yield the decoded content of the streams whose keyword "stream" stands at `places`.

    A stream without a filter is not yielded: the scan of the file saw its bytes. A stream that
    cannot be decoded is noted.
    """
    gathered = Gathered()
    objects = _SmallObjects(file)
    budget = pdf_filters.Spending()
    for place in places:
        start, dictionary = _stream(file, place)
        for names in _readings(dictionary, objects):
            if names is None:
                yield NotExamined("pdf-stream", f"byte {place}")
                names = ["FlateDecode"]  # noqa: PLW2901 - the filter of most streams
            if any(name not in _KNOWN for name in names):
                yield NotExamined("pdf-stream", f"byte {place}")
            source = _Source(file, start, names, dictionary, objects, budget)
            own = _EMBEDDED.search(dictionary) is not None
            try:
                yield from gathered.add(_decoded(source), own=own)
            except pdf_filters.StreamTooLongError:
                yield b""
                yield NotExamined("pdf-stream", f"byte {place}")
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


class _Source:
    """The encoded bytes of a stream, and the filters that decode them."""

    def __init__(
        self,
        file: IO[bytes],
        start: int,
        names: Sequence[str],
        dictionary: bytes,
        objects: "_SmallObjects",
        budget: pdf_filters.Spending,
    ) -> None:
        self._file = file
        self._start = start
        # The bytes before the first picture are a file of their own, or hold nothing but pixels.
        self._names = list(takewhile(lambda name: name in pdf_filters.FILTERS, names))
        parameters = list(_parameters(dictionary, objects))
        self._numbers = parameters + [{}] * (len(self._names) - len(parameters))
        self._budget = budget
        self._is_picture = _IMAGE.search(dictionary) is not None

    @property
    def is_encoded(self) -> bool:
        """False for bytes that the scan of the file saw as they are."""
        return bool(self._names)

    @property
    def is_predicted(self) -> bool:
        numbers = self._numbers[: len(self._names)]
        return any(one.get("Predictor", 1) > 1 for one in numbers)

    def decoded(self, *, predictions: bool) -> Iterator[bytes]:
        """Return what the filters decode; `predictions` are taken away, or left."""
        pieces: Iterator[bytes] = region(self._file, self._start)
        for name, numbers in zip(self._names, self._numbers, strict=False):
            pieces = pdf_filters.FILTERS[name](pieces, numbers, self._budget)
            if predictions and numbers.get("Predictor", 1) > 1:
                pieces = pdf_filters.unpredicted(
                    pieces, numbers, self._budget, is_picture=self._is_picture
                )
        return pieces


def _decoded(source: _Source) -> Iterator[bytes]:
    """Yield the content of a stream as readers see it, and without regard to predictions."""
    if not source.is_encoded:
        return
    yield from source.decoded(predictions=True)
    if source.is_predicted:
        yield b"\n"
        yield from source.decoded(predictions=False)


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
