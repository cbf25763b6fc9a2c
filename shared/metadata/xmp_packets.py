"""Find XMP packets in the stream of a file of any size and type.

XMP Specification part 3 ("Scanning files for XMP packets") gives the scan as the way for every
format without a better way. A finder holds the current packet and the packets found. A packet may
be in UTF-8, UTF-16 or UTF-32 (XMP part 1, section 7.1).
"""

from typing import Final

from shared.metadata.worker.encodings import markup

MAX_PACKET: Final = 1024 * 1024
"""Bytes of a packet that is kept; longer packets are left out."""

MAX_PACKETS: Final = 16
"""Different packets of one file that are kept."""

# The id in every packet's header (XMP part 1, section 7.3.2), which is unique to XMP.
_ID: Final = b"W5M0MpCehiHzreSzNTczkc9d"
_HEADER_END: Final = b"?>"
_TRAILER: Final = b"<?xpacket end"
# The zeros between two letters in UTF-8, UTF-16 and UTF-32, whatever the order of the bytes.
_GAPS: Final = (b"", b"\0", b"\0\0\0")
# Bytes in which a packet in UTF-16 or UTF-32 shows the zeros.
_WIDEST: Final = 64
# Letters between the start of a header and the id.
_BEFORE_ID: Final = 24


def unwrapped(packet: bytes) -> bytes:
    """Return a packet in UTF-8 without the header and the trailer, which some formats leave out."""
    head = packet[:_WIDEST]
    if b"<\0" in head or b"\xff\xfe" in head or b"\xfe\xff" in head:
        packet = markup(packet).encode("utf-8", "replace")
    before, _, after = packet.partition(_ID)
    body = after.partition(_HEADER_END)[2] if after else before
    return body.partition(_TRAILER)[0]


def _spread(letters: bytes, gap: bytes) -> bytes:
    return gap.join(letters[at : at + 1] for at in range(len(letters)))


class Packets:
    """The packets of one file, each once. `cut` marks a packet too long, or a packet too many."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self.cut = False

    def add(self, packet: bytes) -> None:
        """Keep a packet, if room is left."""
        packet = packet.strip(b"\0 \t\r\n")
        if not packet or packet in self.found:
            return
        if len(packet) <= MAX_PACKET and len(self.found) < MAX_PACKETS:
            self.found.append(packet)
        else:
            self.cut = True


class PacketFinder:
    """Find the packets in a file of any type, in time proportional to the file's size."""

    def __init__(self) -> None:
        self.packets = Packets()
        self._scans = [_Scan(gap, self.packets) for gap in _GAPS]

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for scan in self._scans:
            scan.feed(chunk)


class _Scan:
    """Find the packets in an encoding with these zeros between two letters."""

    def __init__(self, gap: bytes, packets: Packets) -> None:
        self._packets = packets
        self._gap = gap
        self._id = _spread(_ID, gap)
        self._trailer = _spread(_TRAILER, gap)
        self._start = _spread(b"<?xpacket", gap)
        # Bytes that are kept of the last chunk: an id that the border cuts, and the header before.
        self._keep = len(self._id) + _BEFORE_ID * (1 + len(gap))
        self._carry = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        size = len(self._id)
        # Nearly every chunk has no packet, and is not copied. A chunk border may cut an id in two.
        if self._id not in self._carry + chunk[:size] and self._id not in chunk:
            self._carry = (self._carry + chunk[-self._keep :])[-self._keep :]
            return
        data = self._carry + chunk
        start = 0
        while (header := data.find(self._id, start)) >= 0:
            trailer = data.find(self._trailer, header)
            # Packets do not nest, so the trailer belongs to the last id before the trailer.
            header = data.rfind(self._id, header, trailer if trailer >= 0 else len(data))
            begin = self._header(data, header)
            if trailer >= 0:
                self._packets.add(unwrapped(data[begin:trailer]))
                start = trailer
            elif len(data) - header <= MAX_PACKET:
                self._carry = data[begin:]
                return
            else:
                self._packets.cut = True
                break
        self._carry = data[-self._keep :]

    def _header(self, data: bytes, place: int) -> int:
        """Return the start of the header whose id stands at `place`; the id without a header."""
        begin = data.rfind(self._start, max(0, place - self._keep), place)
        return begin if self._gap and begin >= 0 else place
