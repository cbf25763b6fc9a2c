"""The payload of an entry: the bytes that the log keeps and hashes. Pure rules to read a payload.

A payload is the canonical JSON of an entry, or the signed note of a redaction in the entry's place.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from typing import Any, Final

import msgspec

from shared.accesslog.entries import Entry

# The fields that record the receipt of an event, and are no part of the event.
_OF_RECEIPT: Final = ("receivedAt", "clockAhead")

type Leaf = Callable[[str, int, bytes], bytes]
"""The leaf hash of the payload of a tenant's entry at an index.

Raises MerkleError for a redaction that no key of the log has signed.
"""


def entry_from(payload: bytes) -> Entry:
    """Read the entry in `payload`. Raises msgspec.DecodeError for any other bytes."""
    try:
        entry = msgspec.json.decode(payload, type=Entry)
        for time in (entry.time, entry.received_at):
            # The app writes no time without a zone, and no time outside the years of UTC.
            if time.tzinfo is None or not time.astimezone(UTC):
                raise msgspec.DecodeError("the time has no zone")
    except (UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise msgspec.DecodeError("this is no entry") from error
    return entry


def readable(payload: bytes) -> Entry | None:
    """Return the entry in `payload`; None for a redacted or damaged payload."""
    try:
        return entry_from(payload)
    except msgspec.DecodeError:
        return None


def event_of(payload: bytes) -> tuple[str, str] | None:
    """Return source and id of the event that `payload` records; None for a redaction.

    A damaged payload belongs to no event: the answer is two empty strings.
    """
    from shared.merkle import is_redaction

    if is_redaction(payload):
        return None
    try:
        fields = msgspec.json.decode(payload)
        identity = str(fields.get("source", "")), str(fields.get("id", ""))
        # An escaped surrogate in a text has no UTF-8.
        "".join(identity).encode()
    except (msgspec.DecodeError, ValueError, RecursionError):
        return "", ""
    return identity


def stated_leaf(_tenant: str, _index: int, payload: bytes) -> bytes:
    """Return the leaf hash of `payload`; for a redaction, the leaf hash that the note states.

    A verifier checks the note's signature; this function does not. Bytes that are neither entry
    nor note get the hash of the bytes, under which no proof verifies.
    """
    from shared.merkle import Note, NoteError, Redaction, is_redaction, leaf_hash

    if is_redaction(payload):
        with suppress(NoteError):
            return Redaction.parse(Note.parse(payload).text).leaf
    return leaf_hash(payload)


def same_content(one: bytes, other: bytes) -> bool:
    """Tell whether two payloads of one event have the same content, apart from the receipt.

    A redacted payload counts as the same, because only the event's identity is left. A damaged
    payload counts as different.
    """
    from shared.merkle import is_redaction

    if is_redaction(one) or is_redaction(other):
        return True
    content = _content(one)
    return content is not None and content == _content(other)


def _content(payload: bytes) -> dict[str, Any] | None:
    try:
        fields: dict[str, Any] = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return {name: value for name, value in fields.items() if name not in _OF_RECEIPT}
