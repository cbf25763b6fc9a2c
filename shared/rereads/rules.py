"""The life of a reread, and which assets a reread chooses: pure rules.

counting -> running -> completed
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from shared.assets.rules import Asset
from shared.assets.runs import Run, next_batch, restarted
from shared.errors import ConflictError, NotFoundError
from shared.messages.contracts import AccessRecorded, Actor
from shared.subjects.notes import NOT_OPENED

SYSTEM: Final = Actor(id="vouchsafe.rereads", role="system", organisation="vendor")

CONCURRENT: Final = 4
"""Assets of a batch that are read at once."""
MOST_DELIVERIES: Final = 4
"""The deliveries of a batch after which the next asset is passed over as unreadable.

A file that ends the process at each attempt would hold up the assets behind the file.
"""
NO_READER: Final = 0
"""The reader of a record that has the path alone, because the file could not be read."""
# By how much the clock that made an asset's id may be ahead.
CLOCK_SKEW: Final = timedelta(hours=1)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)

type RereadOutcome = Literal["read", "resealed", "unreadable"]


class Reread(Run, frozen=True):
    """A reread of a tenant's records.

    `filed_from` and `filed_before` limit the time at which the asset was filed, `reader_before` the
    reader that made the record; `older_key` chooses the records under an older version of the data
    key. A `dry_run` counts and reads nothing. `counted` assets were chosen. `read` files were read
    anew, `resealed` records were sealed anew without the file, and `unreadable` files could not be
    read. `cursor` is an asset's id.
    """

    filed_from: datetime | None = None
    filed_before: datetime | None = None
    reader_before: int | None = None
    older_key: bool = False
    dry_run: bool = False
    read: int = 0
    resealed: int = 0
    unreadable: int = 0
    running_since: datetime | None = None

    @property
    def done(self) -> int:
        """The number of assets that were looked at."""
        return self.read + self.resealed + self.unreadable

    @property
    def remaining(self) -> int:
        """The number of counted assets that were not looked at; 0 at the end of the reading."""
        if self.status == "completed" and not self.dry_run:
            return 0
        return max(self.counted - self.done, 0)


class Selection(msgspec.Struct, frozen=True):
    """The assets to reread: of a range of time, and by the reader or the key of the record."""

    filed_from: datetime | None = None
    filed_before: datetime | None = None
    reader_before: int | None = None
    older_key: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Sealing:
    """What a record's row tells: the version of the data key, and the reader."""

    key: str
    reader: int


def open_reread(
    tenant: str, reread: str, selection: Selection, actor: Actor, now: datetime
) -> Reread:
    """Return a new reread."""
    return Reread(
        id=reread,
        tenant=tenant,
        status="counting",
        requested_by=actor,
        requested_at=now,
        advanced_at=now,
        filed_from=_within_calendar(selection.filed_from),
        filed_before=_within_calendar(selection.filed_before),
        reader_before=selection.reader_before,
        older_key=selection.older_key,
        dry_run=selection.dry_run,
    )


def _within_calendar(at: datetime | None) -> datetime | None:
    """Return a time that every zone can tell, and that an id can hold."""
    return None if at is None else min(max(at, _EARLIEST), _LATEST)


def ids_before(state: Reread) -> datetime:
    """Return the time before which the ids of the chosen assets were made.

    An asset gets the id before the asset is filed. Assets that come after the request have a record
    of the present reader.
    """
    last = state.requested_at
    if state.filed_before is not None:
        last = min(last, state.filed_before)
    return last + CLOCK_SKEW


def chooses(state: Reread, asset: Asset, sealing: Sealing | None, newest: str) -> bool:
    """Tell whether a reread chooses an asset.

    `sealing` is None for an asset without a record, and `newest` the newest version of the data
    key. Reader and key widen each other: either is enough.
    """
    if state.filed_from is not None and asset.filed_at < state.filed_from:
        return False
    if state.filed_before is not None and asset.filed_at >= state.filed_before:
        return False
    if state.reader_before is None and not state.older_key:
        return True
    by_key = state.older_key and (sealing is None or sealing.key != newest)
    return by_key or _is_chosen_by_reader(state, sealing)


def reads_file(state: Reread, sealing: Sealing | None, note: str | None) -> bool:
    """Tell whether the file of a chosen asset is read anew.

    `note` is the note of the opened record. A record that opens, and was chosen by the key alone,
    is sealed anew without the file.
    """
    if sealing is None or note == NOT_OPENED:
        return True
    if state.reader_before is None:
        return not state.older_key
    return _is_chosen_by_reader(state, sealing)


def _is_chosen_by_reader(state: Reread, sealing: Sealing | None) -> bool:
    before = state.reader_before
    return before is not None and (sealing is None or sealing.reader < before)


def counted(state: Reread, chosen: int, last: str, now: datetime) -> Reread:
    """Add `chosen` assets; `last` is the last counted asset's id, "" at the end of the count."""
    after = msgspec.structs.replace(
        state,
        counted=state.counted + chosen,
        cursor=last,
        batch=state.batch + 1,
        advanced_at=now,
    )
    if last:
        return after
    if state.dry_run:
        return msgspec.structs.replace(after, status="completed", completed_at=now)
    return msgspec.structs.replace(after, status="running", running_since=now)


def looked_at(state: Reread, outcome: RereadOutcome, asset: str, now: datetime) -> Reread:
    """Add the outcome of an asset."""
    return msgspec.structs.replace(
        state,
        read=state.read + (outcome == "read"),
        resealed=state.resealed + (outcome == "resealed"),
        unreadable=state.unreadable + (outcome == "unreadable"),
        cursor=asset,
        advanced_at=now,
    )


def moved(state: Reread, last: str, now: datetime) -> Reread:
    """Go on to the next batch, behind the asset `last`."""
    return msgspec.structs.replace(next_batch(state, now), cursor=last)


def seconds_left(state: Reread, now: datetime) -> int | None:
    """Estimate the seconds until the end; None before the first asset."""
    if state.status == "completed":
        return 0
    if state.running_since is None or not state.done:
        return None
    return round((now - state.running_since).total_seconds() / state.done * state.remaining)


def resumed(state: Reread, now: datetime) -> Reread | None:
    """Return the reread to send a message for; None for a reread that needs no message."""
    return restarted(state, now)


def step_of(state: Reread, action: str) -> AccessRecorded:
    """Make the log entry of a step of a reread."""
    return AccessRecorded(
        tenant=state.tenant,
        actor=state.requested_by if action == "reread.requested" else SYSTEM,
        action=action,
        resource=f"rereads/{state.id}",
        outcome="allowed",
    )


def check_new(unfinished: Collection[Reread]) -> None:
    """Allow a request. Raises ConflictError while an earlier request is unfinished."""
    if unfinished:
        raise ConflictError(
            "reread-unfinished",
            "An earlier reread of the tenant is not finished.",
            "Wait for its end; its record shows the progress.",
        )


def reread_not_found() -> NotFoundError:
    """Make the answer for a reread that the tenant does not have."""
    return NotFoundError(
        "reread-not-found",
        "The tenant has no such reread.",
        "List the tenant's rereads to see which there are.",
    )
