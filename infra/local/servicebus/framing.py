"""Incoming frames on their way to proton: read message formats, correct repeated delivery ids.

Proton decodes the message format of a transfer, but does not expose the format. Delivery ids must
be consecutive in a session (OASIS AMQP 1.0, part 2, section 2.5.1). Proton ends a session with a
repeated delivery id. The asynchronous SDK repeats an id when tasks share a receiver, for example
with an AutoLockRenewer: the SDK takes the next id, waits for the socket, and counts only
afterwards. `IncomingFrames` corrects a repeated id and passes every remaining byte unchanged. Only
frame headers and the first fields of attach and transfer performatives are read (sections 2.3 and
2.7).
"""

from collections import defaultdict, deque
from itertools import islice

from infra.local.servicebus.encoding import MalformedMessageError, descriptor, items, scalar

_BEGIN, _ATTACH, _TRANSFER = 0x11, 0x12, 0x14
_MORE, _LIST8 = 5, 0xC0
# The two encodings of true (part 1, section 1.6.2).
_TRUE = (b"\x41", b"\x56\x01")
_FRAME_HEADER = 8
MAX_FRAME = 64 * 1024
"""The largest frame that a client may send, in bytes."""
# Enough of a frame for a link name (a UUID in pyamqp) or the first six transfer fields.
_PREFIX = 1024
_SERIAL_NUMBERS = 2**32


class IncomingFrames:
    """The frames of one connection: message formats by link name, and delivery ids in order."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skip = 0
        self._is_malformed = False
        self._names: dict[tuple[int, int], str] = {}
        # The next delivery id of each session, and the id of each link's unfinished delivery.
        self._next_delivery: dict[int, int] = {}
        self._under_way: dict[tuple[int, int], int] = {}
        self._formats: defaultdict[str, deque[int]] = defaultdict(deque)

    def next_message_format(self, link_name: str) -> int:
        """Return the message format of the link's next delivery, in the order of arrival."""
        return self._formats[link_name].popleft()

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the socket and return the bytes for proton.

        The head of a frame is held back until the head is complete. Raises `MalformedMessageError`
        for bytes that are not AMQP 1.0 frames.
        """
        at = 0
        passed = bytearray()
        while at < len(data):
            if self._is_malformed:
                return bytes(passed + data[at:])
            if self._skip:
                step = min(self._skip, len(data) - at)
                passed += data[at : at + step]
                self._skip -= step
                at += step
                continue
            wanted = self._wanted()
            piece = data[at : at + wanted - len(self._head)]
            self._head += piece
            at += len(piece)
            if len(self._head) == self._wanted():
                passed += self._finish()
        return bytes(passed)

    def _wanted(self) -> int:
        if len(self._head) < _FRAME_HEADER or self._head.startswith(b"AMQP"):
            return _FRAME_HEADER
        size = int.from_bytes(self._head[:4])
        return min(size, _PREFIX) if _FRAME_HEADER <= size <= MAX_FRAME else _FRAME_HEADER

    def _finish(self) -> bytes:
        frame = bytes(self._head)
        self._head.clear()
        if frame.startswith(b"AMQP"):
            return frame  # A protocol header: eight bytes, not a frame.
        size = int.from_bytes(frame[:4])
        if not _FRAME_HEADER <= size <= MAX_FRAME:
            self._is_malformed = True  # Possibly not AMQP at all; proton sends the right error.
            return frame
        self._skip = size - len(frame)
        body, is_amqp = frame[4] * 4, frame[5] == 0
        if is_amqp and body < len(frame):
            try:
                return self._performative(frame, body, int.from_bytes(frame[6:8]))
            except (IndexError, KeyError, OverflowError, StopIteration, ValueError) as error:
                # ValueError: text that is not UTF-8, or a UUID that the frame cuts short.
                # OverflowError: an id or a size too large for its encoding.
                raise MalformedMessageError(f"a frame makes no sense: {error!r}") from error
        return frame

    def _performative(self, frame: bytes, body: int, channel: int) -> bytes:
        code, fields_at = descriptor(frame, body)
        fields = items(frame, fields_at)
        if code == _ATTACH:
            name = scalar(frame, next(fields)[0])
            handle = scalar(frame, next(fields)[0])
            if isinstance(name, str) and isinstance(handle, int):
                self._names[channel, handle] = name
                self._under_way.pop((channel, handle), None)
        elif code == _BEGIN:
            self._next_delivery.pop(channel, None)
        elif code == _TRANSFER:
            return self._transfer(frame, list(islice(fields, 6)), fields_at, channel)
        return frame

    def _transfer(
        self, frame: bytes, fields: list[tuple[int, int]], fields_at: int, channel: int
    ) -> bytes:
        values = [scalar(frame, start) for start, _ in fields[:4]] + [None] * (4 - len(fields))
        handle, delivery, _, message_format = values
        if not isinstance(handle, int):
            return frame
        under_way = self._under_way.get((channel, handle))
        if under_way is None:
            if not isinstance(delivery, int):
                return frame  # Malformed; proton sends the right error.
            under_way = self._next_delivery.get(channel, delivery)
            if _is_after(delivery, under_way):
                under_way = delivery  # Proton refuses a gap.
            self._next_delivery[channel] = (under_way + 1) % _SERIAL_NUMBERS
            number = message_format if isinstance(message_format, int) else 0
            self._formats[self._names[channel, handle]].append(number)
        more = len(fields) > _MORE and frame[slice(*fields[_MORE])] in _TRUE
        if more:
            self._under_way[channel, handle] = under_way
        else:
            self._under_way.pop((channel, handle), None)
        if delivery in (None, under_way):
            return frame
        return _replaced(frame, fields[1], fields_at, b"\x70" + under_way.to_bytes(4))


def _is_after(one: int, other: int) -> bool:
    """Compare delivery ids as serial numbers modulo 2**32 (RFC 1982)."""
    return 0 < (one - other) % _SERIAL_NUMBERS < _SERIAL_NUMBERS // 2


def _replaced(frame: bytes, field: tuple[int, int], fields_at: int, value: bytes) -> bytes:
    """Replace one field of the list at `fields_at` in the head of a frame."""
    start, end = field
    grown = len(value) - (end - start)
    width = 1 if frame[fields_at] == _LIST8 else 4
    size_at = fields_at + 1
    size = int.from_bytes(frame[size_at : size_at + width]) + grown
    return b"".join(
        (
            (int.from_bytes(frame[:4]) + grown).to_bytes(4),
            frame[4:size_at],
            size.to_bytes(width),
            frame[size_at + width : start],
            value,
            frame[end:],
        )
    )
