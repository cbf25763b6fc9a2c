"""Summaries of old Office files, and the texts of Outlook's messages; OLE files made here."""

import struct

from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"
LEGACY = "Иван Петров"
_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR = 512


def ole(streams: dict[str, bytes]) -> bytes:
    """An OLE file of version 3 ([MS-CFB]), whose streams stand in sectors of their own."""
    # Streams below 4,096 bytes stand in a small stream, so each is as long.
    padded = {name: data.ljust(4096, b"\0") for name, data in streams.items()}
    sectors: list[bytes] = []
    table: list[int] = []
    starts = {}
    for name, data in padded.items():
        count = -(-len(data) // _SECTOR)
        starts[name] = len(table)
        sectors += [
            data[at * _SECTOR : (at + 1) * _SECTOR].ljust(512, b"\0") for at in range(count)
        ]
        table += [*range(len(table) + 1, len(table) + count), _END]
    names = sorted(padded, key=lambda name: (len(name), name.upper()))
    entries = [_entry("Root Entry", 5, child=1 if names else _FREE, start=_END, size=0)]
    for number, name in enumerate(names, 1):
        following = number + 1 if number < len(names) else _FREE
        size = len(padded[name])
        entries.append(_entry(name, 2, right=following, start=starts[name], size=size))
    directory = b"".join(entries)
    directory += bytes(-len(directory) % _SECTOR)
    first = len(table)
    count = len(directory) // _SECTOR
    sectors += [directory[at * _SECTOR : (at + 1) * _SECTOR] for at in range(count)]
    table += [*range(first + 1, first + count), _END]
    # The table has a sector of its own.
    tables = 1
    while len(table) + tables > tables * 128:
        tables += 1
    at = len(table)
    table += [_TABLE] * tables
    table += [_FREE] * (tables * 128 - len(table))
    packed = struct.pack(f"<{len(table)}I", *table)
    head = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16)
    head += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<9I", 0, tables, first, 0, 4096, _END, 0, _END, 0)
    listed = [*range(at, at + tables)] + [_FREE] * (109 - tables)
    return head + struct.pack("<109I", *listed) + b"".join(sectors) + packed


def _entry(name: str, kind: int, *, child=_FREE, right=_FREE, start=0, size=0) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    fields = struct.pack("<HBBIII", len(raw), kind, 1, _FREE, right, child)
    return raw.ljust(64, b"\0") + fields + bytes(36) + struct.pack("<IQ", start, size)


def summary(page: int, **values: tuple[int, bytes]) -> bytes:
    """A stream of properties ([MS-OLEPS]): the code page, and texts by number."""
    found = {1: struct.pack("<IHxx", 2, page)}
    for number, raw in values.values():
        text = raw + b"\0"
        text += bytes(-len(text) % 4)
        found[number] = struct.pack("<II", 30, len(text)) + text
    places, body = b"", b""
    start = 8 + 8 * len(found)
    for number, value in found.items():
        places += struct.pack("<II", number, start + len(body))
        body += value
    section = struct.pack("<II", start + len(body), len(found)) + places + body
    return struct.pack("<HHI16sI16sI", 0xFFFE, 0, 0, bytes(16), 1, bytes(16), 48) + section


def test_summaries():
    first = summary(1252, a=(2, b"Of Bo"), b=(4, NAME.encode("cp1252")), c=(8, b"Cy"))
    second = summary(1252, a=(14, b"Di"), b=(15, b"Ed"))
    made = ole({"\x05SummaryInformation": first, "\x05DocumentSummaryInformation": second})
    found = texts(made)
    assert found["OLE:title"] == ["Of Bo"]
    assert found["OLE:author"][0] == NAME
    assert found["OLE:last_saved_by"] == ["Cy"]
    assert found["OLE:manager"] == ["Di"]
    assert found["OLE:company"] == ["Ed"]
    assert collected(made).note == "metadata-partial"


def test_a_summary_in_another_encoding():
    for page, raw in ((1251, LEGACY.encode("cp1251")), (1252, LEGACY.encode("cp1251"))):
        made = ole({"\x05SummaryInformation": summary(page, a=(4, raw))})
        assert LEGACY in texts(made)["OLE:author"]


def test_a_message_of_outlook():
    made = ole(
        {
            "__substg1.0_0C1A001F": NAME.encode("utf-16-le"),
            "__substg1.0_0E04001E": LEGACY.encode("cp1251"),
            "__substg1.0_0037001F": "About Bo".encode("utf-16-le"),
            "__substg1.0_1000001F": "The text".encode("utf-16-le"),
            "__substg1.0_8001001F": "Own of Cy".encode("utf-16-le"),
        }
    )
    found = texts(made)
    assert LEGACY in found.pop("MSG:DisplayTo")
    assert found == {
        "MSG:SenderName": [NAME],
        "MSG:Subject": ["About Bo"],
        "MSG:8001": ["Own of Cy"],
    }
    assert collected(made).note is None


def test_broken_ole_files():
    made = ole({"\x05SummaryInformation": summary(1252, a=(4, b"Bo"))})
    for length in (8, 100, 600, len(made) - 700):
        assert collected(made[:length]).note in {"metadata-unreadable", "metadata-partial"}
    for at in range(0, len(made), 97):
        broken = bytearray(made)
        broken[at] ^= 0xFF
        assert collected(bytes(broken)).note in {
            "metadata-unreadable",
            "metadata-partial",
            "metadata-too-large",
            "metadata-xmp-only",
        }
