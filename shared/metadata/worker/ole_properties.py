"""OLE files by olefile: the summaries of Word, Excel and PowerPoint, and the texts of Outlook.

Sources: [MS-OLEPS], [MS-OSHARED] section 2.3.3, [MS-OXMSG], [MS-OXPROPS].
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

import olefile

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import CUT, PARTIAL, Metadata, MetadataBuilder, merged

_SUMMARIES: Final = ("\x05SummaryInformation", "\x05DocumentSummaryInformation")
_NAMES: Final = (olefile.OleMetadata.SUMMARY_ATTRIBS, olefile.OleMetadata.DOCSUM_ATTRIBS)
# Texts of Outlook: the tag of the property, and its type: UTF-16, or the encoding of a system.
_TEXT: Final = "__substg1.0_"
_UNICODE: Final = ("001F", "101F")
_NARROW: Final = ("001E", "101E")
# Names of [MS-OXPROPS] for properties that name people or hold the subject.
_PROPERTIES: Final[Mapping[str, str]] = {
    "0037": "Subject",
    "003D": "SubjectPrefix",
    "0042": "SentRepresentingName",
    "0065": "SentRepresentingEmailAddress",
    "0070": "ConversationTopic",
    "007D": "TransportMessageHeaders",
    "0C1A": "SenderName",
    "0C1F": "SenderEmailAddress",
    "0E02": "DisplayBcc",
    "0E03": "DisplayCc",
    "0E04": "DisplayTo",
    "3001": "DisplayName",
    "3003": "EmailAddress",
    "39FE": "SmtpAddress",
    "3A06": "GivenName",
    "3A11": "Surname",
    "3FF8": "CreatorName",
    "3FFA": "LastModifierName",
    "5D01": "SenderSmtpAddress",
}
# The body of a message is the file's content.
_CONTENT: Final = frozenset({"1000", "1009", "1013"})
_MAX_STREAM: Final = 1024 * 1024
_MAX_STREAMS: Final = 10_000


def read_ole(path: str) -> Metadata:
    """Return the metadata of the OLE file at `path`.

    Of a document only the summaries are read, and not the authors of comments and changes.
    """
    found = MetadataBuilder()
    try:
        with olefile.OleFileIO(path) as file:
            streams = file.listdir()[:_MAX_STREAMS]
            for name, attributes in zip(_SUMMARIES, _NAMES, strict=True):
                if [name] in streams or file.exists(name):
                    _add_summary(file, name, attributes, found)
            is_message = any(stream[-1].startswith(_TEXT) for stream in streams)
            for stream in streams:
                if stream[-1].startswith(_TEXT):
                    _add_text(file, stream, found)
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        # olefile's errors for a broken file are all of these.
        found.broken = True
        return found.metadata()
    notes = [] if is_message else [Metadata(note=PARTIAL)]
    if len(streams) == _MAX_STREAMS:
        notes.append(Metadata(note=CUT))
    return merged([found.metadata(), *notes])


def _add_summary(
    file: olefile.OleFileIO, name: str, attributes: list[str], found: MetadataBuilder
) -> None:
    properties = file.getproperties(name, convert_time=False)
    codec = _codec(properties.get(1))
    for number, value in properties.items():
        label = attributes[number - 1] if 0 < number <= len(attributes) else str(number)
        for text in _values(value):
            _add(f"OLE:{label}", text, codec, found)
    if name == _SUMMARIES[1]:
        with contextlib.suppress(Exception):
            for own in file.get_userdefined_properties(name, convert_time=False):
                for text in _values(own.get("value")):
                    _add(f"OLE:{own.get('property_name')}", text, codec, found)


def _add(field: str, value: bytes | str, codec: str, found: MetadataBuilder) -> None:
    if isinstance(value, str):
        found.text(field, value)
        return
    raw = value.rstrip(b"\0")
    text, readings = decoded(raw)
    with contextlib.suppress(UnicodeDecodeError, LookupError):
        declared = raw.decode(codec)
        text, readings = declared, (text, *readings)
    found.text(field, text, () if raw.isascii() else readings)


def _values(value: object) -> Iterator[bytes | str]:
    if isinstance(value, bytes | str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _values(one)


def _codec(page: object) -> str:
    """Return Python's name of a code page, which olefile gives as a signed number."""
    number = page & 0xFFFF if isinstance(page, int) else 1252
    return {65001: "utf-8", 1200: "utf-16-le", 10000: "mac_roman"}.get(number, f"cp{number}")


def _add_text(file: olefile.OleFileIO, stream: list[str], found: MetadataBuilder) -> None:
    label = stream[-1][len(_TEXT) :].upper()
    tag, form = label[:4], label[4:8]
    if form not in (*_UNICODE, *_NARROW) or tag in _CONTENT:
        return
    if file.get_size(stream) > _MAX_STREAM:
        found.cut = True
        return
    raw = file.openstream(stream).read()
    field = f"MSG:{_PROPERTIES.get(tag, tag)}"
    if form in _UNICODE:
        found.text(field, raw.decode("utf-16-le", "replace"))
    else:
        found.text(field, *decoded(raw.rstrip(b"\0")))
