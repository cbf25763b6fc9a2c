"""Decode what mail and news carry as text: base64, quoted-printable, uuencode, yEnc.

Programs disagree on where a part of a mail begins and ends. So a part ends only at a boundary that
the mail declares, and decoding skips what does not belong to the alphabet. The reading of plain
lines of base64 (`text.py`) is made as well. Sources: RFC 2045 section 6, RFC 2046 section 5.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from shared.scanning.carriers.base64_text import Decoder
from shared.scanning.carriers.parts import PIECE, Gathered, Part, region

_MAX_LINE: Final = 64 * 1024
_BOUNDARY: Final = re.compile(
    rb"boundary\s*(?:\*0?\*?)?=\s*(?:\"([^\"\r\n]{1,200})|([^\s\";]{1,200}))", re.IGNORECASE
)
# A carriage return alone ends a line in some programs.
_LINE_END: Final = re.compile(rb"\n")
_ANY_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_LONE_RETURN: Final = re.compile(rb"\r[^\n]")
_MAX_BOUNDARIES: Final = 1000
_ENCODING: Final = re.compile(rb"\s*content-transfer-encoding\s*:(.*)", re.IGNORECASE | re.DOTALL)
# RFC 5322 section 2.2; programs allow a space before the colon.
_FIELD: Final = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_BEGIN: Final = re.compile(rb"begin(-base64)? [0-7]{3,4} ", re.IGNORECASE)
_YENC: Final = b"=ybegin "
_COMMENT: Final = re.compile(rb"\([^)]*\)")

type _Line = Callable[[bytes], bytes]


@dataclass
class _Body:
    """A body that is being decoded: the decoder of a line, and what ends the body."""

    decode: _Line
    ends: Callable[[bytes], bool]
    rest: Callable[[], bytes] = bytes
    held: bytearray = field(default_factory=bytearray)


def bodies(file: IO[bytes]) -> Iterator[Part]:
    """Yield the decoded bodies of a mail, of a mailbox, or of any text with such bodies.

    Where characters follow the padding of base64, and where lines end with a carriage return alone,
    the mail is read in both ways that programs have.
    """
    boundaries = _boundaries(file)
    for line_end in (_LINE_END, _ANY_LINE_END):
        first = _Reading(boundaries, line_end, pads=True)
        yield from first.bodies(file)
        if any(decoder.padded for decoder in first.decoders):
            yield from _Reading(boundaries, line_end, pads=False).bodies(file)
        if not _has_lone_return(file):
            break


class _Reading:
    """One way to read a mail.

    A mail whose own header names an encoding is read to its end as well: whoever overlooks the
    boundaries decodes them.
    """

    def __init__(
        self, boundaries: frozenset[bytes], line_end: re.Pattern[bytes], *, pads: bool
    ) -> None:
        self._boundaries = boundaries
        self._line_end = line_end
        self._pads = pads
        self.decoders: list[Decoder] = []

    def bodies(self, file: IO[bytes]) -> Iterator[Part]:
        yield from self._bodies(file, self._ends, first_only=False)
        if self._boundaries:
            yield from self._bodies(file, lambda _: False, first_only=True)

    def _bodies(
        self, file: IO[bytes], ends: Callable[[bytes], bool], *, first_only: bool
    ) -> Iterator[Part]:
        gathered = Gathered()
        lines = _Lines(file, self._line_end)
        header = b""
        for line in lines:
            begun = _marked(line)
            if begun is None and line.strip() and (not header or _is_header(line)):
                header = _header(header, line)
                continue
            if begun is None:
                begun = self._encoded(header, ends)
                if line.strip():
                    # A body without the empty line before it.
                    lines.again(line)
            header = b""
            if begun is not None:
                yield from gathered.add(_content(begun, lines))
            if first_only:
                break
        yield from gathered.rest()

    def _encoded(self, header: bytes, ends: Callable[[bytes], bool]) -> "_Body | None":
        values = b" ".join(_values(header))
        if b"base64" in values:
            decoder = Decoder(url_safe=False, pads=self._pads)
            self.decoders.append(decoder)
            return _Body(decoder.feed, ends, decoder.rest)
        if b"quoted-printable" in values:
            return _Body(_quoted, ends)
        return None

    def _ends(self, line: bytes) -> bool:
        if not line.startswith(b"--"):
            return line.startswith(b"From ") and not self._boundaries
        named = line[2:].rstrip().startswith(tuple(self._boundaries))
        return named or not self._boundaries


def _content(body: _Body, lines: "_Lines") -> Iterator[bytes]:
    for line in lines:
        if body.ends(line):
            # The line may begin the next body.
            lines.again(line)
            break
        body.held += body.decode(line)
        if len(body.held) >= PIECE:
            yield bytes(body.held)
            body.held.clear()
    yield bytes(body.held) + body.rest()


def _header(header: bytes, line: bytes) -> bytes:
    """Return the header Content-Transfer-Encoding so far, with the lines that continue it."""
    if _ENCODING.match(line):
        return header + line
    if header and line[:1] in b" \t":
        return (header + line)[:_MAX_LINE]
    return header


def _values(header: bytes) -> Iterator[bytes]:
    for part in re.split(rb"(?im)^(?=\s*content-transfer-encoding\s*:)", header):
        if found := _ENCODING.match(part):
            yield _COMMENT.sub(b"", found[1]).lower()


def _is_header(line: bytes) -> bool:
    return line[:1] in b" \t" or _FIELD.match(line) is not None


def _marked(line: bytes) -> _Body | None:
    """Return the body that a line begins by itself, without headers."""
    if line.startswith(_YENC):
        return _Body(_YEnc().decode, lambda one: one.startswith(b"=yend"))
    found = _BEGIN.match(line)
    if found is None:
        return None
    if found[1]:
        decoder = Decoder()
        return _Body(decoder.feed, lambda one: one.startswith(b"===="), decoder.rest)
    return _Body(_uu, lambda one: one.strip() == b"end")


def _quoted(line: bytes) -> bytes:
    stripped = line.rstrip(b" \t\r\n")
    return binascii.a2b_qp(stripped if stripped.endswith(b"=") else stripped + b"\n")


def _uu(line: bytes) -> bytes:
    line = line.rstrip(b"\r\n")
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Other characters than uuencode's, or more of them than the length states.
        length = (line[0] - 32) & 63
        characters = bytes((one - 32) & 63 | 64 for one in line[1:].ljust(-(-length // 3) * 4))
        return binascii.a2b_uu(
            bytes([length + 32]) + characters.translate(_UU)[: -(-length // 3) * 4]
        )


# The 64 characters of uuencode, for the numbers from 64 on.
_UU: Final = bytes(64) + bytes(range(32, 96)) + bytes(128)


class _YEnc:
    """yEnc 1.3: each byte plus 42; `=` says that 64 was added as well."""

    _TABLE: Final = bytes((byte - 42) & 255 for byte in range(256))

    def decode(self, line: bytes) -> bytes:
        if line.startswith(b"=ypart"):
            return b""
        first, *others = line.rstrip(b"\r\n").split(b"=")
        plain = first + b"".join(
            bytes([(other[0] - 64) & 255]) + other[1:] for other in others if other
        )
        return plain.translate(self._TABLE)


def _boundaries(file: IO[bytes]) -> frozenset[bytes]:
    """Return the boundaries that a mail declares, anywhere."""
    found: set[bytes] = set()
    for line in _Lines(file, _ANY_LINE_END):
        for one in _BOUNDARY.finditer(line):
            if len(found) < _MAX_BOUNDARIES:
                found.add((one[1] or one[2]).rstrip())
    return frozenset(found)


class _Lines:
    """The lines of a file; a line may be handed back once."""

    def __init__(self, file: IO[bytes], line_end: re.Pattern[bytes]) -> None:
        self._line_end = line_end
        self._file = file
        self._position = 0
        self._back: bytes | None = None
        self._block = b""
        self._at = 0
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._back is not None:
            line, self._back = self._back, None
            return line
        while True:
            found = self._line_end.search(self._block, self._at)
            if found is not None and (found.end() < len(self._block) or self._ended):
                return self._cut(found.end())
            if len(self._block) - self._at > _MAX_LINE:
                return self._cut(self._at + _MAX_LINE)
            if self._ended:
                if self._at == len(self._block):
                    raise StopIteration
                return self._cut(len(self._block))
            self._file.seek(self._position)
            more = self._file.read(_MAX_LINE)
            self._ended = not more
            self._position += len(more)
            self._block = self._block[self._at :] + more
            self._at = 0

    def _cut(self, end: int) -> bytes:
        line = self._block[self._at : end]
        self._at = end
        return line

    def again(self, line: bytes) -> None:
        """Hand `line` back, to be read next."""
        self._back = line


def _has_lone_return(file: IO[bytes]) -> bool:
    tail = b""
    for piece in region(file, 0):
        if _LONE_RETURN.search(tail + piece):
            return True
        tail = piece[-1:]
    return False
