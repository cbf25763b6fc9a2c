"""The rows of notices: keys, columns, and the event that a notice keeps."""

from datetime import datetime
from typing import Final, cast

import msgspec
from msgspec import Raw, Struct

from shared.ids import key
from shared.messages import CloudEvent
from shared.messages.contracts import CONTRACTS, Notice
from shared.notices.rules import NoticeDelivery, NoticeRecord, is_drill, kind_of, notice_id
from shared.ports import Row
from shared.rows import from_values, to_values

STAMP: Final = "_stamp"
"""The partition of notices and contacts of the stamp; no tenant has such an id."""

# A column has at most 32,768 characters of UTF-16, and an entity 1 MiB.
_PART: Final = 16_000


class NoticeEvent(Struct, frozen=True):
    """The event of a notice, as kept, and as sent to webhooks: type, time, and the data."""

    type: str
    timestamp: datetime
    data: Raw


def partition_of(tenant: str | None) -> str:
    """Return the partition of a tenant's notices and contacts, or of the stamp's."""
    return key(tenant or STAMP)


def notice_row(notice: str) -> str:
    """Return the RowKey of a notice."""
    return key("notice", notice)


def recent_row(slot: datetime, notice: str) -> str:
    """Return the RowKey of a notice in the count of a slot."""
    return key("recent", slot.strftime("%Y%m%dT%H%M"), notice)


def delivery_row(notice: str, contact: str, asked: int) -> str:
    """Return the RowKey of a delivery, also of a digest's."""
    return key("delivery", notice, contact, f"{asked:03}")


def gathered_row(digest: str, notice: str) -> str:
    """Return the RowKey of a notice in a digest."""
    return key("gathered", digest, notice)


def digest_id(contact: str, due: datetime) -> str:
    """Return the id of a contact's digest: the notices gathered until a time."""
    return f"digest-{contact}-{due.strftime('%Y%m%dT%H%M')}"


def new_record(event: CloudEvent, notice: Notice, now: datetime) -> NoticeRecord:
    """Make the record of a notice that an event carries."""
    kept = NoticeEvent(event.type, event.time, Raw(msgspec.json.encode(notice)))
    return NoticeRecord(
        id=notice_id(event.time, event.source, event.id),
        tenant=None if kind_of(notice) == "incident" else notice.tenant,
        kind=kind_of(notice),
        event=msgspec.json.encode(kept).decode(),
        received_at=now,
        is_drill=is_drill(notice),
    )


def event_of(record: NoticeRecord) -> NoticeEvent:
    """Return the event that a record keeps."""
    return msgspec.json.decode(record.event, type=NoticeEvent)


def notice_of(record: NoticeRecord) -> Notice:
    """Return the notice that a record keeps. Raises msgspec.ValidationError for foreign data."""
    event = event_of(record)
    return cast("Notice", msgspec.json.decode(event.data, type=CONTRACTS[event.type]))


def row_of_record(record: NoticeRecord, etag: str | None = None) -> Row:
    """Make the row of a notice; the event is split into columns."""
    values = to_values(record)
    text = record.event
    parts = [text[start : start + _PART] for start in range(0, len(text), _PART)]
    values |= {f"event{number or ''}": part for number, part in enumerate(parts)}
    return Row(partition_of(record.tenant), notice_row(record.id), values, etag)


def record_of(row: Row) -> NoticeRecord:
    """Read the row of a notice."""
    parts, number = [str(row.values["event"])], 1
    while (part := row.values.get(f"event{number}")) is not None:
        parts.append(str(part))
        number += 1
    return from_values(NoticeRecord, {**row.values, "event": "".join(parts)})


def row_of_delivery(partition: str, delivery: NoticeDelivery, etag: str | None = None) -> Row:
    """Make the row of a delivery."""
    place = delivery_row(delivery.notice, delivery.contact, delivery.asked)
    return Row(partition, place, to_values(delivery), etag)


def delivery_of_row(row: Row) -> NoticeDelivery:
    """Read the row of a delivery."""
    return from_values(NoticeDelivery, row.values)
