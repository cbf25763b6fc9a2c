"""The filter of a listing, and the form of listed entries: pure rules."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import msgspec

from shared.accesslog.entries import CLOCK_TOLERANCE, Entry
from shared.accesslog.payloads import entry_from
from shared.accesslog.reading.views import AccessOutcome, Listed, Redacted
from shared.errors import InvalidInputError, foreign_continuation

# The largest difference between the clocks of two instances of the app.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """The conditions on listed entries; None is no condition.

    `since` and `until` apply to `Entry.trusted_time`, from `since` up to but without `until`.
    `resource` is a prefix; every further condition is a whole value.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None
    grant: str | None = None
    outcome: str | None = None
    resource: str | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether every entry passes, redacted entries included."""
        return self == EntryFilter()

    def passes(self, entry: Entry) -> bool:
        """Tell whether to list `entry`."""
        return (
            (self.since is None or entry.trusted_time >= self.since)
            and (self.until is None or entry.trusted_time < self.until)
            and self.actor in {None, entry.actor.id}
            and self.action in {None, entry.action}
            and self.grant in {None, entry.grant_id}
            and self.outcome in {None, entry.outcome}
            and (self.resource is None or entry.resource.startswith(self.resource))
        )

    def is_past(self, entry: Entry) -> bool:
        """Tell whether `entry` and every entry received earlier are too old.

        A trusted time is at most slightly after the receipt. Entries are in the order of receipt,
        apart from differences between clocks.
        """
        # The difference of two times is always in range; a time plus or minus a difference may not
        # be.
        behind = self.since - entry.received_at if self.since else timedelta(0)
        return behind > CLOCK_TOLERANCE + _SKEW


def filter_of(parameters: Mapping[str, str]) -> EntryFilter:
    """Read the filter in the parameters of a query. Raises InvalidInputError."""
    outcome = parameters.get("outcome") or None
    if outcome not in {None, *get_args(AccessOutcome.__value__)}:
        raise _invalid("outcome", "allowed, denied or failed")
    return EntryFilter(
        since=_time(parameters, "from"),
        until=_time(parameters, "to"),
        actor=parameters.get("actor") or None,
        action=parameters.get("action") or None,
        grant=parameters.get("grant") or None,
        outcome=outcome,
        resource=parameters.get("resource") or None,
    )


def listed(index: int, payload: bytes) -> Listed:
    """Return the listed form of an entry, or of the rest after a redaction or damage."""
    from shared.merkle import Note, NoteError, Redaction, is_redaction

    try:
        if is_redaction(payload):
            note = Redaction.parse(Note.parse(payload).text)
            return Listed(index=index, redacted=Redacted(at=note.at, reason=note.reason))
        entry = entry_from(payload)
    except (msgspec.DecodeError, NoteError):
        return Listed(index=index, damaged=True)
    fields: dict[str, Any] = {
        name: getattr(entry, name) for name in entry.__struct_fields__ if name != "tenant"
    }
    return Listed(index=index, **fields)


def continuation_of(before: int) -> str:
    """Return the token with which to read on below an index."""
    return base64.urlsafe_b64encode(before.to_bytes(8, "big")).decode().rstrip("=")


def before_of(continuation: str | None) -> int | None:
    """Return the index below which to read on. Raises MalformedInputError for a foreign token."""
    if continuation is None:
        return None
    try:
        before = base64.b64decode(continuation + "=", altchars=b"-_", validate=True)
        if len(before) == 8:
            return int.from_bytes(before, "big")
    except (binascii.Error, ValueError):
        pass
    raise foreign_continuation()


def _time(parameters: Mapping[str, str], name: str) -> datetime | None:
    text = parameters.get(name)
    if not text:
        return None
    try:
        # An unencoded plus in a query has become a space.
        found = datetime.fromisoformat(text.replace(" ", "+"))
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _invalid(name, "a time with its zone, such as 2026-11-23T15:04:05Z")


def _invalid(name: str, form: str) -> InvalidInputError:
    return InvalidInputError(
        "filter-invalid",
        f"The parameter `{name}` of the query is not {form}.",
        "Mend it, or leave it out.",
    )
