"""File formats of listed entries: CSV for spreadsheets, NDJSON for programs."""

from collections.abc import AsyncIterator
from typing import Any, Final, Literal

import msgspec

from shared.accesslog.reading.views import Listed
from shared.ids import rfc3339

type Format = Literal["csv", "ndjson"]

FORMATS: Final[tuple[Format, ...]] = ("csv", "ndjson")

MEDIA_TYPES: Final[dict[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
_COLUMNS: Final = (
    *("index", "time", "receivedAt", "clockAhead", "actorId", "actorRole", "actorOrganisation"),
    *("authenticationMethod", "action", "resource", "outcome", "purpose", "ticket", "grantId"),
    *("reason", "clientAddress", "correlationId", "source", "id", "redactedAt", "redactedReason"),
)
# The characters that begin a formula in a spreadsheet's cell, full-width forms included. Source:
# OWASP, "CSV Injection".
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_CHUNK: Final = 256 * 1024


async def encoded(entries: AsyncIterator[Listed], form: Format) -> AsyncIterator[bytes]:
    """Yield the bytes of a file of `entries`, in chunks of some 256 KiB."""
    parts = [_row(_COLUMNS)] if form == "csv" else []
    size = 0
    async for entry in entries:
        part = _row(_cells(entry)) if form == "csv" else msgspec.json.encode(entry) + b"\n"
        parts.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _cells(entry: Listed) -> tuple[Any, ...]:
    actor, redacted = entry.actor, entry.redacted
    return (
        entry.index,
        rfc3339(entry.time) if entry.time else None,
        rfc3339(entry.received_at) if entry.received_at else None,
        "true" if entry.clock_ahead else None,
        *((actor.id, actor.role, actor.organisation) if actor else (None, None, None)),
        actor.authentication_method if actor else None,
        entry.action,
        entry.resource,
        entry.outcome,
        entry.purpose,
        entry.ticket,
        entry.grant_id,
        entry.reason,
        entry.client_address,
        entry.correlation_id,
        entry.source,
        entry.id,
        rfc3339(redacted.at) if redacted else None,
        redacted.reason if redacted else None,
    )


def _row(cells: tuple[Any, ...]) -> bytes:
    """Write a line by RFC 4180, with every cell quoted and no cell a formula."""
    # A local import: at module level, the import would slow every cold start.
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow(_safe(cell) for cell in cells)
    return text.getvalue().encode()


def _safe(cell: Any) -> Any:  # noqa: ANN401 - a number, a text or nothing
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
