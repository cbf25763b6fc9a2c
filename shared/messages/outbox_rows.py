"""The rows of the outbox: a row keeps a message or a log entry until the sending. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import msgspec

from shared.errors import IntegrityError, RefusalError
from shared.ids import key, rfc3339
from shared.messages.contracts import AccessRecorded
from shared.ports import OutgoingMessage, Row

PREFIX: Final = "outbox|"
"""The beginning of the RowKey of every outbox row."""

LOG: Final = "accesslog"
"""The address of log entries, where a message has the name of its queue."""


@dataclass(frozen=True, slots=True)
class OutgoingEntry:
    """An entry for the log of the tenant in `data`; `accesslog.new_entry` makes the entry.

    `id` identifies the event, which occurred at `time`. `data` is valid: no later step checks the
    data.
    """

    id: str
    time: datetime
    data: AccessRecorded


type Outgoing = OutgoingMessage | OutgoingEntry


class EntryLog(Protocol):
    """The access log, seen from the outbox."""

    async def record_entries(
        self, entries: Sequence[OutgoingEntry]
    ) -> Sequence[RefusalError | IntegrityError | None]:
        """Add entries to the logs of their tenants.

        Returns for each entry None where the log has the entry, a RefusalError where the log never
        takes the entry, or an IntegrityError while the tenant's log is damaged. Raises
        UnavailableError when the answer is not known: the same call again adds nothing twice.
        """


def row_of(partition: str, outgoing: Outgoing, now: datetime) -> Row:
    """Make the row that keeps a message or an entry."""
    if isinstance(outgoing, OutgoingEntry):
        return Row(
            partition,
            PREFIX + key(LOG, outgoing.id),
            {
                "address": LOG,
                "entryId": outgoing.id,
                "time": rfc3339(outgoing.time),
                "data": msgspec.json.encode(outgoing.data).decode(),
                "written": rfc3339(now),
            },
        )
    return Row(
        partition,
        PREFIX + key(outgoing.queue, outgoing.id),
        {
            "address": outgoing.queue,
            "messageId": outgoing.id,
            "session": outgoing.session or "",
            "body": outgoing.body.decode(),
            "notBefore": "" if outgoing.not_before is None else rfc3339(outgoing.not_before),
            "written": rfc3339(now),
        },
    )


def outgoing_of(row: Row) -> Outgoing:
    """Read the message or the entry that a row keeps."""
    values = row.values
    if values["address"] == LOG:
        return OutgoingEntry(
            str(values["entryId"]),
            datetime.fromisoformat(str(values["time"])),
            msgspec.json.decode(str(values["data"]), type=AccessRecorded),
        )
    return OutgoingMessage(
        queue=str(values["address"]),
        id=str(values["messageId"]),
        body=str(values["body"]).encode(),
        session=str(values["session"]) or None,
        not_before=datetime.fromisoformat(str(text)) if (text := values.get("notBefore")) else None,
    )


def address_of(row: Row) -> str:
    """Return the queue that a row's message goes to, or `LOG` for an entry."""
    return str(row.values["address"])
