"""Views of a log's entries."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.messages.contracts import Actor

type AccessOutcome = Literal["allowed", "denied", "failed"]


class Redacted(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The time and the reason of the erasure of an entry's payload."""

    at: datetime
    reason: str


class Listed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An entry of the log at `index`; a redacted entry has only `redacted`.

    A `damaged` entry was changed past the app and cannot be read.

    `clock_ahead` marks a `time` more than five minutes after `received_at`, the time of receipt by
    the log: do not trust the `time`.
    """

    index: int
    id: str | None = None
    source: str | None = None
    time: datetime | None = None
    received_at: datetime | None = None
    clock_ahead: bool = False
    actor: Actor | None = None
    action: str | None = None
    resource: str | None = None
    outcome: AccessOutcome | None = None
    purpose: str | None = None
    ticket: str | None = None
    grant_id: str | None = None
    reason: str | None = None
    client_address: str | None = None
    correlation_id: str | None = None
    redacted: Redacted | None = None
    damaged: bool = False
