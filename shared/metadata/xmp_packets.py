"""Find XMP packets in the stream of a file of any size and type.

XMP Specification part 3 ("Scanning files for XMP packets") gives the scan as the way for every
format without a better way. A finder holds the current packet and the packets found. Packets in
UTF-16 or UTF-32 are not found; no format read here allows UTF-16 or UTF-32.
"""

from typing import Final

MAX_PACKET: Final = 1024 * 1024
"""Bytes of a packet that is kept; longer packets are left out."""

MAX_PACKETS: Final = 16
"""Different packets of one file that are kept."""

# The id in every packet's header (XMP part 1, section 7.3.2), which is unique to XMP.
_ID: Final = b"W5M0MpCehiHzreSzNTczkc9d"
_HEADER_END: Final = b"?>"
_TRAILER: Final = b"<?xpacket end"


def unwrapped(packet: bytes) -> bytes:
    """Return a packet without its header and its trailer, which some formats leave out."""
    before, _, after = packet.partition(_ID)
    body = after.partition(_HEADER_END)[2] if after else before
    return body.partition(_TRAILER)[0]


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
        self._carry = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        # Nearly every chunk has no packet, and is not copied. A chunk border may cut an id in two.
        if _ID not in self._carry + chunk[: len(_ID)] and _ID not in chunk:
            self._carry = (self._carry[-len(_ID) :] + chunk[-len(_ID) :])[1 - len(_ID) :]
            return
        data = self._carry + chunk
        start = 0
        while (header := data.find(_ID, start)) >= 0:
            trailer = data.find(_TRAILER, header)
            # Packets do not nest, so the trailer belongs to the last id before the trailer.
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
