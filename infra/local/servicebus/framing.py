"""Reads the message format of each incoming transfer, which proton decodes but does not expose.

Only frame headers and the first fields of attach and transfer performatives are looked at (OASIS
AMQP 1.0, part 2, sections 2.3 and 2.7); the bytes go on to proton unchanged.
"""

from collections import defaultdict, deque

from infra.local.servicebus.wire import MalformedMessageError, descriptor, items, scalar

_ATTACH, _TRANSFER = 0x12, 0x14
_FRAME_HEADER = 8
# Enough of a frame for a link name (pyamqp's are UUIDs) or the first four transfer fields.
_PREFIX = 1024


class TransferFormats:
    """Message formats of the deliveries that started on one connection, per link name."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skip = 0
        self._names: dict[tuple[int, int], str] = {}
        self._last_delivery: dict[tuple[int, int], int] = {}
        self._formats: defaultdict[str, deque[int]] = defaultdict(deque)

    def take(self, link_name: str) -> int:
        """The format of the next delivery on the link, in the order they started."""
        return self._formats[link_name].popleft()

    def feed(self, data: bytes) -> None:
        """Look at the next bytes from the wire, in whatever pieces they come.

        Raises `MalformedMessageError` when they are not AMQP 1.0 frames.
        """
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            wanted = self._wanted()
            piece = data[at : at + wanted - len(self._head)]
            self._head += piece
            at += len(piece)
            if len(self._head) == self._wanted():
                self._finish()

    def _wanted(self) -> int:
        if len(self._head) < _FRAME_HEADER or self._head.startswith(b"AMQP"):
            return _FRAME_HEADER
        return max(_FRAME_HEADER, min(int.from_bytes(self._head[:4]), _PREFIX))

    def _finish(self) -> None:
        frame = bytes(self._head)
        self._head.clear()
        if frame.startswith(b"AMQP"):
            return  # A protocol header, eight bytes and no frame.
        self._skip = int.from_bytes(frame[:4]) - len(frame)
        body, is_amqp = frame[4] * 4, frame[5] == 0
        if is_amqp and body < len(frame):
            try:
                self._performative(frame, body, int.from_bytes(frame[6:8]))
            except (IndexError, KeyError, StopIteration, ValueError) as error:
                # ValueError: a text that is no UTF-8, or a UUID that the frame cuts short.
                raise MalformedMessageError(f"a frame makes no sense: {error!r}") from error

    def _performative(self, frame: bytes, body: int, channel: int) -> None:
        code, fields_at = descriptor(frame, body)
        fields = items(frame, fields_at)
        if code == _ATTACH:
            name = scalar(frame, next(fields)[0])
            handle = scalar(frame, next(fields)[0])
            if isinstance(name, str) and isinstance(handle, int):
                self._names[channel, handle] = name
                self._last_delivery.pop((channel, handle), None)
        elif code == _TRANSFER:
            values = [scalar(frame, start) for _, (start, _) in zip(range(4), fields, strict=False)]
            handle, delivery, _, message_format = values + [None] * (4 - len(values))
            if not isinstance(handle, int) or not isinstance(delivery, int):
                return  # A continuation: its delivery has been counted.
            if self._last_delivery.get((channel, handle)) != delivery:
                self._last_delivery[channel, handle] = delivery
                number = message_format if isinstance(message_format, int) else 0
                self._formats[self._names[channel, handle]].append(number)
