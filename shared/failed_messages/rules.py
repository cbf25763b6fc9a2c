"""Failed messages: their identity, their filters, and their replay. Pure rules."""

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from shared.catalogue import (
    INTAKE_BULK_QUEUE,
    INTAKE_QUEUE,
    PARKED_MESSAGES_QUEUE,
    QUEUES,
    RESCANS_QUEUE,
    SCAN_RESULTS_QUEUE,
    TENANT_ID,
)
from shared.errors import ConflictError, NotFoundError
from shared.ids import is_id, rfc3339
from shared.messages.parking import sendable
from shared.ports import BusMessage, OutgoingMessage, QueuePlace

PLACES: Final = (
    QueuePlace(PARKED_MESSAGES_QUEUE.name),
    *(QueuePlace(queue.name, is_dead_letters=True) for queue in QUEUES),
)
"""The places of failed messages: the parked copies, and the dead letters of every queue."""

_QUEUES: Final = {queue.name: queue for queue in QUEUES if queue is not PARKED_MESSAGES_QUEUE}
_DEAD: Final = ".dead"
_ID: Final = re.compile(r"([a-z-]{1,50})(\.dead)?:([0-9]{1,19}):([0-9a-f]{12})")
_REASON: Final = re.compile("[A-Za-z0-9-]{1,64}")
_OURS: Final = "parked-"
_HEALING: Final = frozenset(
    queue.name for queue in (INTAKE_QUEUE, INTAKE_BULK_QUEUE, SCAN_RESULTS_QUEUE, RESCANS_QUEUE)
)
UNKNOWN_REASON: Final = "other"
"""The reason of a message whose reason is no code."""


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """The conditions of a list; None is no condition. Times are of the failure, `before` excluded.

    `queue` is the queue that the message was meant for.
    """

    queue: str | None = None
    reason: str | None = None
    type: str | None = None
    tenant: str | None = None
    before: datetime | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailedMessage:
    """A parked copy, or a dead letter.

    `queue` is the queue that the message was meant for, and `number` the number that the queue
    gave: messages of a session are replayed in the order of the numbers. `type`, `tenant` and
    `event_id` are what the message says of itself, None where the message says nothing readable.
    """

    id: str
    place: QueuePlace
    message: BusMessage
    queue: str
    number: int
    reason: str
    failed_at: datetime
    session: str | None
    type: str | None
    tenant: str | None
    event_id: str | None

    @property
    def is_parked(self) -> bool:
        """True for a parked copy, False for the dead letter of a queue itself."""
        return self.place.queue == PARKED_MESSAGES_QUEUE.name

    @property
    def blob(self) -> str | None:
        """The blob in the container `parked` with the whole message, or None."""
        named = str(self.message.properties.get("parked-blob", "")) if self.is_parked else ""
        return named.partition("/")[2] or None

    @property
    def own_properties(self) -> Mapping[str, object]:
        """The sender's properties, without those of the parking."""
        properties = self.message.properties
        if not self.is_parked:
            return properties
        return {name: value for name, value in properties.items() if not name.startswith(_OURS)}

    def of_parking(self, name: str) -> str:
        """Return a property of the parking, `""` for none."""
        return str(self.message.properties.get(_OURS + name, "")) if self.is_parked else ""


def failed_message(place: QueuePlace, message: BusMessage) -> FailedMessage:
    """Return the failed message that a message on `place` is."""
    is_parked = place.queue == PARKED_MESSAGES_QUEUE.name
    properties = message.properties if is_parked else {}
    queue = str(properties.get("parked-queue", place.queue))
    reason = str(properties.get("parked-reason") or message.reason or "")
    session = str(properties.get("parked-session-id") or message.session or "") or None
    event = _event_of(message.body)
    return FailedMessage(
        id=_identifier(place, message),
        place=place,
        message=message,
        queue=queue if queue in _QUEUES or not is_parked else PARKED_MESSAGES_QUEUE.name,
        number=_number_of(message, is_parked=is_parked),
        reason=reason if _REASON.fullmatch(reason) else UNKNOWN_REASON,
        failed_at=_time_of(str(properties.get("parked-at", ""))) or message.enqueued,
        session=session,
        type=_word(event.get("type")),
        tenant=_tenant_of(queue, event, session),
        event_id=_word(event.get("id")),
    )


def severity_of(queue: str) -> Literal["warning", "critical"]:
    """Return the severity of failed messages of a queue.

    A warning for a queue whose work a timer sends again, so that a failed message loses nothing.
    """
    return "warning" if queue in _HEALING else "critical"


def place_of(identifier: str) -> tuple[QueuePlace, int]:
    """Return the place and the number that an id of a failed message names.

    Raises NotFoundError for the id of no place.
    """
    found = _ID.fullmatch(identifier)
    place = QueuePlace(found[1], is_dead_letters=found[2] is not None) if found else None
    if found is None or place not in PLACES:
        raise message_not_found()
    return place, int(found[3])


def message_not_found() -> NotFoundError:
    """Make the answer for a message that was handled meanwhile, or never was."""
    return NotFoundError(
        "failed-message-not-found",
        "No failed message has the id: the message was replayed or discarded, or never was.",
        "List the failed messages again.",
    )


def meets(failed: FailedMessage, wanted: MessageFilter) -> bool:
    """Tell whether a failed message meets every condition."""
    same = (
        (wanted.queue, failed.queue),
        (wanted.reason, failed.reason),
        (wanted.type, failed.type),
        (wanted.tenant, failed.tenant),
    )
    return (
        all(condition is None or condition == value for condition, value in same)
        and (wanted.before is None or failed.failed_at < wanted.before)
        and (wanted.after is None or failed.failed_at >= wanted.after)
    )


def in_order(failed: Collection[FailedMessage]) -> list[FailedMessage]:
    """Return failed messages in the order in which their queues had the messages."""
    return sorted(failed, key=lambda one: (one.queue, one.number, one.place.is_dead_letters))


def held_back(ordered: Collection[FailedMessage], missing: Collection[FailedMessage]) -> set[str]:
    """Return the ids of messages that must wait for an earlier message of their session.

    `missing` are the messages that cannot be replayed now.
    """
    first: dict[tuple[str, str], int] = {}
    for one in missing:
        if one.session is not None:
            at = (one.queue, one.session)
            first[at] = min(first.get(at, one.number), one.number)
    return {
        one.id
        for one in ordered
        if one.session is not None and first.get((one.queue, one.session), one.number) < one.number
    }


def replayed(failed: FailedMessage, whole: bytes | None) -> OutgoingMessage:
    """Make the message that goes back to its queue: body, properties, session and content type.

    `whole` is the content of the blob for a copy that was cut; None without a blob. The id is the
    same for the same failed message, and another than the sender's, which duplicate detection would
    drop. Raises ConflictError for a message that cannot be sent as it was.
    """
    message = failed.message
    if failed.queue not in _QUEUES:
        raise _not_replayable("The message names no queue of the app.")
    body, content_type, properties = message.body, message.content_type, failed.own_properties
    if failed.blob is not None:
        body, content_type, properties = _unpacked(failed, whole)
    if body is None:
        raise _not_replayable("The body of the message is an AMQP value or sequence.")
    if _QUEUES[failed.queue].sessions and not failed.session:
        raise _not_replayable(
            f"The queue {failed.queue} needs a session, and the message has none."
        )
    return OutgoingMessage(
        failed.queue,
        f"replay-{hashlib.sha256(failed.id.encode()).hexdigest()[:32]}",
        body,
        session=failed.session if _QUEUES[failed.queue].sessions else None,
        content_type=content_type or "application/octet-stream",
        properties={name: sendable(value) for name, value in properties.items()},
    )


def _unpacked(
    failed: FailedMessage, whole: bytes | None
) -> tuple[bytes, str | None, Mapping[str, object]]:
    if whole is None:
        raise ConflictError(
            "failed-message-body-gone",
            "The copy was cut, and the blob with the whole message is gone after 30 days.",
            "Have the sender send the event again, and discard the message.",
        )
    try:
        kept = json.loads(whole)
        body = base64.b64decode(kept["body"], validate=True)
        content_type, properties = kept["contentType"], dict(kept["properties"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _not_replayable("The blob with the whole message cannot be read.") from None
    is_same = failed.message.body is not None and body.startswith(failed.message.body)
    if kept.get("queue") != failed.queue or not is_same:
        raise _not_replayable("The blob is not of the message.")
    return body, content_type if isinstance(content_type, str) else None, properties


def is_blob_name(name: str) -> bool:
    """Tell whether `name` has the form of a blob's in the container `parked`."""
    queue, _, rest = name.partition("/")
    return queue in _QUEUES and re.fullmatch(r"[0-9]{1,19}-[0-9a-f]{16}\.json", rest) is not None


def _not_replayable(why: str) -> ConflictError:
    return ConflictError(
        "failed-message-not-replayable",
        why,
        "Have the sender send the event again, and discard the message.",
    )


def _identifier(place: QueuePlace, message: BusMessage) -> str:
    """Name a message; the digest tells a later message with the number in a queue made anew."""
    name = place.queue + (_DEAD if place.is_dead_letters else "")
    parts = (name, str(message.number), message.id, rfc3339(message.enqueued))
    digest = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:12]
    return f"{name}:{message.number}:{digest}"


def _number_of(message: BusMessage, *, is_parked: bool) -> int:
    if is_parked:
        number = message.id.rpartition("|")[2]
        if number.isascii() and number.isdecimal() and len(number) < 20:
            return int(number)
    return message.number


def _event_of(body: bytes | None) -> Mapping[str, object]:
    try:
        event = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and is_id(value) else None


def _tenant_of(queue: str, event: Mapping[str, object], session: str | None) -> str | None:
    data = event.get("data")
    found = [data.get("tenant")] if isinstance(data, dict) else []
    if isinstance(data, dict) and queue in (INTAKE_QUEUE.name, INTAKE_BULK_QUEUE.name):
        # The name of a blob in `incoming` begins with the tenant.
        found.append(str(data.get("name", "")).partition("/")[0])
    elif queue in _QUEUES and _QUEUES[queue].sessions:
        found.append(session)
    for tenant in found:
        if isinstance(tenant, str) and TENANT_ID.fullmatch(tenant):
            return tenant
    return None


def _time_of(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None
