"""CloudEvents 1.0 in structured JSON mode (application/cloudevents+json).

An attribute that no rule of the app reads is ignored, whatever its name, type or form: `subject`,
`dataschema`, and every extension but `correlationid`, which names the request or event at the
beginning of a chain of events. A wrong `correlationid` is ignored, too.

Source: CloudEvents specification 1.0.2, section 3.3 (extensions); the JSON event format, section
3.1 (data, and JSON media types); the extension "Correlation".
"""

import codecs
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from shared import context
from shared.errors import MalformedInputError
from shared.ids import is_id
from shared.json_names import require_unique_names
from shared.messages.contracts import CONTRACTS, TYPES, Contract, Identifier
from shared.ports import OutgoingMessage

SOURCE = "/vouchsafe"


# A URI reference, in the characters of a URI (RFC 3986 section 2).
type _Source = Annotated[str, msgspec.Meta(max_length=512, pattern=r"^[!-~]+$(?!\n)")]
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
JSON_MEDIA_TYPE = (
    rf"^{_NAME}/({_NAME}\+)?[Jj][Ss][Oo][Nn][ \t]*(;[^\x00-\x08\x0a-\x1f\x7f]*)?$(?!\n)"
)
"""The form of a media type of JSON: subtype `json`, or a subtype with the suffix `+json`.

Source: the JSON event format, section 3.1.1; RFC 6838, sections 4.2 and 4.3.
"""


class _Envelope(msgspec.Struct, omit_defaults=True):
    """The attributes that are read. `data_base64` is `data` as the bytes of JSON in base64."""

    specversion: Literal["1.0"]
    id: Identifier
    source: _Source
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data_base64: bytes | None = None
    datacontenttype: Annotated[str, msgspec.Meta(pattern=JSON_MEDIA_TYPE)] | None = None
    correlationid: object = None


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """A decoded message: the envelope and the typed data."""

    id: str
    source: str
    type: str
    time: datetime
    data: Contract
    correlation_id: str | None = None

    @property
    def origin(self) -> context.Context:
        """The origin of the work on the event: the correlation id, or the event itself."""
        return context.Context(self.correlation_id or self.id)


# Keys of rows count milliseconds from then on.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A later time, such as a time of 9999 west of Greenwich, has no UTC.
_LATEST = datetime.max.replace(tzinfo=UTC)

_ENVELOPE = msgspec.json.Decoder(_Envelope)
_DATA = {name: msgspec.json.Decoder(contract) for name, contract in CONTRACTS.items()}


def decode(body: bytes) -> CloudEvent:
    """Read a message. Raises MalformedInputError with the code of the fault."""
    # RFC 8259 section 8.1 lets a reader ignore the mark of some writers of UTF-8.
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInputError(
            "message-invalid",
            f"The message is not a CloudEvents 1.0 event in JSON: {error}.",
            "Send structured mode JSON with specversion, id, source, type, time and data.",
        ) from error
    if not _EPOCH <= envelope.time <= _LATEST:
        raise MalformedInputError(
            "message-invalid",
            "The message's time lies before 1970 or after 9999.",
            "Send the time at which the event occurred.",
        )
    decoder = _DATA.get(envelope.type)
    if decoder is None:
        raise MalformedInputError(
            "message-type-unknown",
            "No contract has the message's type and version.",
            f"Send one of: {', '.join(sorted(CONTRACTS))}.",
        )
    try:
        require_unique_names(body)
        data = decoder.decode(_data_of(envelope))
    except (ValueError, RecursionError) as error:
        raise MalformedInputError(
            "message-data-invalid",
            f"The data does not meet the contract of {envelope.type}: {error}.",
            "Mend the field that is named and send the message again with a new id.",
        ) from error
    outside = [
        name
        for name in data.__struct_fields__
        if isinstance(value := getattr(data, name), datetime) and not _EPOCH <= value <= _LATEST
    ]
    if outside:
        raise MalformedInputError(
            "message-data-invalid",
            f"The data of {envelope.type} has a time before 1970 or after 9999:"
            f" {', '.join(outside)}.",
            "Mend the field that is named and send the message again with a new id.",
        )
    return CloudEvent(
        envelope.id,
        envelope.source,
        envelope.type,
        envelope.time,
        data,
        _correlation_of(envelope),
    )


def _data_of(envelope: _Envelope) -> bytes | msgspec.Raw:
    """Return the data in JSON. Raises ValueError for data in both forms, or in none."""
    if envelope.data_base64 is None:
        if envelope.data is msgspec.UNSET:
            raise ValueError("the event has no data")
        return envelope.data
    if envelope.data is not msgspec.UNSET:
        raise ValueError("the event has both data and data_base64")
    require_unique_names(envelope.data_base64)
    return envelope.data_base64


def _correlation_of(envelope: _Envelope) -> str | None:
    given = envelope.correlationid
    return given if isinstance(given, str) and is_id(given) else None


def encode(
    queue: str,
    data: Contract,
    *,
    identifier: str,
    now: datetime,
    session: str | None = None,
) -> OutgoingMessage:
    """Make the message that carries `data` to `queue`; `identifier` is its dedupe key."""
    envelope = _Envelope(
        specversion="1.0",
        id=identifier,
        source=SOURCE,
        type=TYPES[type(data)],
        time=now,
        data=msgspec.Raw(msgspec.json.encode(data)),
        datacontenttype="application/json",
        correlationid=context.current().correlation_id,
    )
    return OutgoingMessage(queue, identifier, msgspec.json.encode(envelope), session)
