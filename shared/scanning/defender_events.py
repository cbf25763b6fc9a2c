"""Read the result of Microsoft Defender for Storage for a blob that was scanned on upload.

Event Grid delivers the result as an event of type `Microsoft.Security.MalwareScanningResult`, in
Event Grid's own schema or as a CloudEvent, by the choice of the subscription. Sources,
learn.microsoft.com: "Set up response to malware scanning" and "Understand malware scanning results"
(Defender for Cloud); "Event Grid event schema" and "CloudEvents v1.0 schema with Azure Event Grid".
"""

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from shared.errors import InvalidInputError, MalformedInputError
from shared.ids import in_milliseconds
from shared.scanning.scanner import Findings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
EVENT_TYPE: Final = "Microsoft.Security.MalwareScanningResult"

# Names of malware that are kept, and characters of each name.
_MAX_NAMES: Final = 20
_MAX_NAME: Final = 128


class _Details(msgspec.Struct, rename="camel"):
    malware_names_found: list[str] | None = None
    sha256: str | None = None


class _Data(msgspec.Struct, rename="camel"):
    blob_uri: str
    e_tag: str
    scan_result_type: str
    scan_finished_time_utc: Annotated[datetime, Meta(tz=True)]
    scan_result_details: _Details | None = None


class _Event(msgspec.Struct):
    """The attributes common to both schemas; the type is `eventType` in Event Grid's schema."""

    data: msgspec.Raw
    eventType: str = ""  # noqa: N815 - as Event Grid writes it
    type: str = ""


class ScanResult(msgspec.Struct, frozen=True):
    """Defender's result for one version of a blob: URI, ETag without quotes, and time."""

    uri: str
    etag: str
    finished_at: datetime
    findings: Findings


def read_result(body: bytes) -> ScanResult:
    """Read an event. Raises a RefusalError for a broken event, or for an event of another type."""
    try:
        event = _EVENTS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(error) from error
    if isinstance(event, list):
        # Event Grid's own schema allows an array; a queue receives single events.
        [event] = event
    if EVENT_TYPE not in (event.eventType, event.type):
        raise InvalidInputError(
            "scan-result-type-unknown",
            "The event is not the result of a malware scan.",
            f"Let the Event Grid subscription pass events of type {EVENT_TYPE} only.",
        )
    try:
        data = msgspec.json.decode(event.data, type=_Data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(error) from error
    if not _EPOCH <= data.scan_finished_time_utc <= _LATEST:
        # Such a time may have no UTC.
        raise _invalid(ValueError("the scan finished before 1970 or after 9999"))
    return ScanResult(
        data.blob_uri,
        data.e_tag.strip('"'),
        in_milliseconds(data.scan_finished_time_utc),
        _findings(data.scan_result_type, data.scan_result_details or _Details()),
    )


def _findings(kind: str, details: _Details) -> Findings:
    """Read the findings. An unknown kind of result clears nothing."""
    sha256 = details.sha256.lower() if details.sha256 else None
    if kind == "No threats found":
        return Findings(sha256=sha256)
    if kind == "Malicious":
        names = sorted({name[:_MAX_NAME] for name in details.malware_names_found or ()})
        return Findings(tuple(names[:_MAX_NAMES]) or ("unnamed",), sha256=sha256)
    refusal = "scan-not-possible" if kind.casefold() == "not scanned" else "scan-failed"
    return Findings(refusal=refusal, sha256=sha256)


def _invalid(error: Exception) -> MalformedInputError:
    return MalformedInputError(
        "scan-result-invalid",
        f"The event is not a scan result as it is documented: {error}.",
        "See whether Microsoft has changed the event; upload the file again.",
    )


_EVENTS: Final = msgspec.json.Decoder(
    _Event | Annotated[list[_Event], Meta(min_length=1, max_length=1)]
)
