"""XMP packets found while a file streams past, whatever its size and type.

Scanning for packets is what XMP Specification part 3 ("Scanning files for XMP packets") gives as
the way for every format that has no better one. A finder keeps no more than the packet it is in and
those it found. Packets in UTF-16 or UTF-32, which no format read here allows, are not found.
"""

from typing import Final

MAX_PACKET: Final = 1024 * 1024
"""Bytes of a packet that is kept; longer ones are left out."""

MAX_PACKETS: Final = 16
"""Different packets of one file that are kept."""

# The id in every packet's header (XMP part 1, section 7.3.2), which nothing else has.
_ID: Final = b"W5M0MpCehiHzreSzNTczkc9d"
_HEADER_END: Final = b"?>"
_TRAILER: Final = b"<?xpacket end"


def unwrapped(packet: bytes) -> bytes:
    """A packet without its header and its trailer, which not every format demands."""
    before, _, after = packet.partition(_ID)
    body = after.partition(_HEADER_END)[2] if after else before
    return body.partition(_TRAILER)[0]


class Packets:
    """The packets of one file, each once. `cut` says that there were more, or longer ones."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self.cut = False

    def add(self, packet: bytes) -> None:
        """Keep a packet, if there is room."""
        packet = packet.strip(b"\0 \t\r\n")
        if not packet or packet in self.found:
            return
        if len(packet) <= MAX_PACKET and len(self.found) < MAX_PACKETS:
            self.found.append(packet)
        else:
            self.cut = True


class PacketFinder:
    """Finds the packets in a file of any type. Each byte is looked at a fixed number of times."""

    def __init__(self) -> None:
        self.packets = Packets()
        self._carry = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        # Nearly every chunk has no packet, and is not worth a copy. An id may be cut in two.
        if _ID not in self._carry + chunk[: len(_ID)] and _ID not in chunk:
            self._carry = (self._carry[-len(_ID) :] + chunk[-len(_ID) :])[1 - len(_ID) :]
            return
        data = self._carry + chunk
        start = 0
        while (header := data.find(_ID, start)) >= 0:
            trailer = data.find(_TRAILER, header)
            # Packets do not nest, so an earlier id is not the one of this trailer.
            header = data.rfind(_ID, header, trailer if trailer >= 0 else len(data))
            if trailer >= 0:
                self.packets.add(unwrapped(data[header:trailer]))
                start = trailer
            elif len(data) - header <= MAX_PACKET:
                self._carry = data[header:]
                return
            else:
                self.packets.cut = True
                break
        self._carry = data[1 - len(_ID) :]
