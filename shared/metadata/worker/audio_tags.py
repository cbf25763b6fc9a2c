"""Tags of sound by mutagen: ID3, APE, Vorbis comments, and the tags of ASF.

A file may have tags of several kinds, one behind the other: every kind is looked for.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import mutagen
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC
from mutagen.id3 import ID3, Frame, ParseID3v1

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import Metadata, MetadataBuilder
from shared.metadata.worker.unknown_parts import add_unknown
from shared.metadata.worker.xmp import read_packets

# Attributes of a frame of ID3 that are no texts of people.
_NO_TEXTS: Final = frozenset({"HashKey", "FrameID", "lang", "mime", "encoding", "type", "format"})
_LATIN_1: Final = 0
_MAX_LYRICS: Final = 64 * 1024
_LYRICS: Final = b"LYRICSBEGIN"
_MAX_DEPTH: Final = 4
# The first bytes of FLAC, Ogg and ASF.
_OWN: Final = (b"fLaC", b"OggS", b"0&\xb2u")
# The first bytes of JPEG and PNG.
_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG")
_V1: Final = 128
_V1_TEXTS: Final = ("TIT2", "TPE1", "TALB", "COMM")


def read_audio(path: str) -> Metadata:
    """Return the texts of all tags of the sound at `path`, or of a bare tag of ID3."""
    found = MetadataBuilder()
    packets: list[bytes] = []
    # Each reader may close the file, or leave it anywhere.
    data = Path(path)
    with data.open("rb") as file:
        _add_id3(file, packets, found)
        _add_id3_v1(file, found)
    with data.open("rb") as file:
        _add_ape(file, found)
    with data.open("rb") as file:
        _add_own(file, found)
    read_packets(packets[:16], found)
    found.cut |= len(packets) > 16
    return found.metadata()


def _add_id3(file: IO[bytes], packets: list[bytes], found: MetadataBuilder) -> None:
    try:
        tags = ID3(file, translate=False, load_v1=False)
    except mutagen.MutagenError as error:
        found.broken |= type(error).__name__ != "ID3NoHeaderError"
        return
    _add_frames(tags.values(), packets, found, _MAX_DEPTH)
    # Frames that mutagen cannot read are kept as bytes.
    found.broken |= bool(tags.unknown_frames)


def _add_frames(
    frames: Iterable[Frame], packets: list[bytes], found: MetadataBuilder, depth: int
) -> None:
    for frame in frames:
        field = f"ID3:{frame.FrameID}"
        in_doubt = getattr(frame, "encoding", None) == _LATIN_1
        for name, value in vars(frame).items():
            if name == "sub_frames" and depth:
                _add_frames(value.values(), packets, found, depth - 1)
            elif name == "data" and isinstance(value, bytes):
                if getattr(frame, "owner", "") == "XMP" or b"<rdf:RDF" in value:
                    packets.append(value)
                elif frame.FrameID == "APIC":
                    _add_cover(value, found)
                else:
                    add_unknown(field, value, found)
            elif name not in _NO_TEXTS:
                for text in _strings(value):
                    # Writers put the encoding of their own system in the place of Latin-1.
                    raw = text.encode("latin-1", "ignore") if in_doubt else b""
                    found.text(field, *(decoded(raw) if raw and not raw.isascii() else (text,)))


def _add_cover(picture: bytes, found: MetadataBuilder) -> None:
    if picture.startswith(_PICTURES):
        # Imported here, because few sounds have a cover.
        from shared.metadata.worker.pictures import add_inner

        add_inner(picture, found)
    else:
        add_unknown("ID3:APIC", picture, found)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


def _add_id3_v1(file: IO[bytes], found: MetadataBuilder) -> None:
    """Add the fields of ID3v1, which end at fixed places, also before a tag of APE's."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _MAX_LYRICS))
    end = file.read()
    raw = end[-_V1:]
    # Lyrics3 stands before ID3v1: id3.org, "Lyrics3 v2.00".
    if (start := end.rfind(_LYRICS)) >= 0:
        found.text("Lyrics3", *decoded(end[start + len(_LYRICS) : -_V1]))
    frames = ParseID3v1(raw) or {}
    for frame in (frames[name] for name in _V1_TEXTS if name in frames):
        for text in _strings(getattr(frame, "text", [])):
            found.text(f"ID3v1:{frame.FrameID}", *decoded(text.encode("latin-1", "replace")))


def _add_ape(file: IO[bytes], found: MetadataBuilder) -> None:
    try:
        tags = APEv2(file)
    except mutagen.MutagenError as error:
        found.broken |= type(error).__name__ != "APENoHeaderError"
        return
    for key, value in tags.items():
        if value.kind == 0:
            for text in value:
                found.text(f"APE:{key}", text)


def _add_own(file: IO[bytes], found: MetadataBuilder) -> None:
    """Add the tags of the file's own format: Vorbis comments, or the attributes of ASF."""
    own = file.read(4) in _OWN
    file.seek(0)
    try:
        sound = mutagen.File(file)
    except mutagen.MutagenError:
        # A bare tag, or a sound whose samples alone are broken, loses no text.
        found.broken |= own
        return
    if isinstance(sound, FLAC):
        for picture in sound.pictures:
            found.text("FLAC:Picture", picture.desc)
            _add_cover(picture.data, found)
    if vendor := getattr(getattr(sound, "tags", None), "vendor", ""):
        found.text("Vorbis:vendor", vendor)
    if sound is None or sound.tags is None or isinstance(sound.tags, ID3 | APEv2):
        return
    kind = "ASF" if type(sound).__name__ == "ASF" else "Vorbis"
    for key, value in sound.tags:
        for text in _strings(getattr(value, "value", value)):
            if key.lower() not in ("metadata_block_picture", "coverart"):
                found.text(f"{kind}:{key}", text)
                # mutagen keeps no bytes of a comment that is not in UTF-8, as Vorbis demands.
                found.broken |= "\ufffd" in text
