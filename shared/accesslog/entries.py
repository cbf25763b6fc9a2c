"""The content of an entry of the access log, and the stored bytes: pure rules.

An entry is a JSON object in the canonical form of RFC 8785. Equal content therefore gives equal
bytes and an equal hash. An entry leaves out unknown fields.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec

from shared import context
from shared.errors import InvalidInputError
from shared.ids import rfc3339
from shared.messages.contracts import AccessRecorded, Actor
from shared.messages.outbox_rows import OutgoingEntry

# The lead of a sender's clock over the app's clock before the sender's time is marked untrusted.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_RUNS: Final = re.compile(r"[^\s/]+")
# A URI may escape the at sign.
_ESCAPED: Final = "%40"


class Entry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An entry. `source` and `id` are the identity of the recorded event and of the entry.

    `time` is the time of the event by the source; `received_at` is the time of receipt by the log.
    `clock_ahead` marks a `time` more than five minutes after `received_at`. `resource` is an id,
    for example `assets/01J…`, never a name that identifies a person (GDPR Art. 5(1)(c)).
    """

    id: str
    source: str
    time: datetime
    received_at: datetime
    tenant: str
    actor: Actor
    action: str
    resource: str
    outcome: Literal["allowed", "denied", "failed"]
    purpose: str | None = None
    ticket: str | None = None
    grant_id: str | None = None
    reason: str | None = None
    client_address: str | None = None
    correlation_id: str | None = None
    clock_ahead: bool = False

    @property
    def trusted_time(self) -> datetime:
        """The time of the event, or the time of receipt for an untrusted clock."""
        return self.received_at if self.clock_ahead else self.time


def attributed(recorded: AccessRecorded) -> AccessRecorded:
    """Add the correlation id and the client address of the current context to `recorded`."""
    origin = context.current()
    return msgspec.structs.replace(
        recorded,
        correlation_id=recorded.correlation_id or origin.correlation_id,
        client_address=recorded.client_address or origin.client_address,
    )


def check(recorded: AccessRecorded) -> None:
    """Check a record against the limits of the contract, and for names of persons.

    Raises InvalidInputError.
    """
    fields = msgspec.to_builtins(recorded)
    _require_nameless(fields)
    try:
        msgspec.convert(fields, AccessRecorded)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error


def new_entry(recorded: AccessRecorded, identifier: str, now: datetime) -> OutgoingEntry:
    """Make the entry that reports `recorded`, for the outbox of the reported change.

    `identifier` becomes the id of the entry's event. Raises the errors of `check`, before a change
    that the log would refuse.
    """
    attributed_to = attributed(recorded)
    check(attributed_to)
    return OutgoingEntry(identifier, now, attributed_to)


def check_identity(source: str, identifier: str) -> None:
    """Check the identity of an event for names of persons. Raises InvalidInputError."""
    _require_nameless({"source": source, "id": identifier})


def names_person(text: str | None) -> bool:
    """Tell whether `text` contains something like an e-mail address."""
    return text is not None and any(map(_has_address, _RUNS.findall(text)))


def _has_address(run: str) -> bool:
    """Tell whether an address stands in a run of text without spaces and slashes.

    An address is something, an at sign, and something with a dot inside. A search for the form as
    one expression would try each beginning with each at sign.
    """
    parts = run.split("@")
    if any(before and "." in after[1:-1] for before, after in pairwise(parts)):
        return True
    # Of several escaped signs, the first has the most behind it.
    escaped = ((part, part.find(_ESCAPED, 1)) for part in parts)
    return any(at > 0 and "." in part[at + len(_ESCAPED) + 1 : -1] for part, at in escaped)


def person_named(place: str) -> InvalidInputError:
    """Return the refusal of an entry that names a person at `place`."""
    return InvalidInputError(
        "log-entry-names-person",
        f"What looks like an e-mail address stands in {place} of an entry for the log.",
        "Name persons and things by the ids that the directory and the API give them.",
    )


def entry_of(
    recorded: AccessRecorded, source: str, identifier: str, time: datetime, received: datetime
) -> Entry:
    """Make the entry of `recorded`, of an event at `time` that came in at `received`."""
    return Entry(
        id=identifier,
        source=source,
        time=time,
        received_at=received,
        tenant=recorded.tenant,
        actor=recorded.actor,
        action=recorded.action,
        resource=recorded.resource,
        outcome=recorded.outcome,
        purpose=recorded.purpose,
        ticket=recorded.ticket,
        grant_id=recorded.grant_id,
        reason=recorded.reason,
        client_address=recorded.client_address,
        correlation_id=recorded.correlation_id,
        clock_ahead=time - received > CLOCK_TOLERANCE,
    )


def payload_of(entry: Entry) -> bytes:
    """Return the bytes to store and hash. Raises InvalidInputError for text outside Unicode."""
    import rfc8785

    try:
        return rfc8785.dumps(_known(entry))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise _invalid("a text has characters that are not Unicode") from error


def _known(entry: Entry) -> dict[str, Any]:
    fields = {
        field.encode_name: getattr(entry, field.name) for field in msgspec.structs.fields(entry)
    }
    fields["time"], fields["receivedAt"] = rfc3339(entry.time), rfc3339(entry.received_at)
    fields["actor"] = _without_none(msgspec.to_builtins(entry.actor))
    fields["clockAhead"] = entry.clock_ahead or None
    return _without_none(fields)


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _require_nameless(fields: Mapping[str, Any]) -> None:
    for place, text in _texts(fields):
        if names_person(text):
            raise person_named(place)


def _texts(fields: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in `fields`, each with the field's name."""
    for name, value in fields.items():
        if isinstance(value, str):
            yield inside + name, value
        elif isinstance(value, dict):
            yield from _texts(value, f"{inside}{name}.")


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(
        "log-entry-invalid",
        f"What is to be logged does not meet its contract: {why}.",
        "Mend the field that is named, within the limit that is given.",
    )
