"""Runs over a tenant's assets, batch by batch: rules that rescans and rereads share. Pure.

counting -> running <-> paused -> completed
"""

import zlib
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from shared.messages.contracts import Actor
from shared.rows import Stored

# The assets of a message, and the bytes after which the message ends: few enough for the lock and
# for the other tenants of the lane.
BATCH_SIZE: Final = 25
BATCH_BYTES: Final = 1024**3
# The assets that a message counts.
COUNT_SIZE: Final = 20_000
# A run without progress for so long has lost its message.
STALLED: Final = timedelta(hours=1)
LANES: Final = 2

type RunStatus = Literal["counting", "running", "paused", "completed"]


class Run(Stored, frozen=True):
    """A run over a tenant's assets.

    `counted` assets are the run's work. `batch` is the number of the batch under way, `cursor` the
    place of the asset that was looked at last.
    """

    id: str
    tenant: str
    status: RunStatus
    requested_by: Actor
    requested_at: datetime
    advanced_at: datetime
    counted: int = 0
    batch: int = 0
    cursor: str = ""
    completed_at: datetime | None = None

    def awaits(self, batch: int) -> bool:
        """Tell whether a message with the number `batch` has work to do."""
        return self.status in ("counting", "running") and self.batch == batch


def next_batch[R: Run](state: R, now: datetime) -> R:
    """Go on to the next batch."""
    return msgspec.structs.replace(state, batch=state.batch + 1, advanced_at=now)


def restarted[R: Run](state: R, now: datetime) -> R | None:
    """Return a run that has lost its message, to send the message again; None for another run."""
    if state.status in ("counting", "running") and now - state.advanced_at > STALLED:
        return msgspec.structs.replace(state, advanced_at=now)
    return None


def completed[R: Run](state: R, now: datetime) -> R:
    """End the run."""
    return msgspec.structs.replace(state, status="completed", completed_at=now, advanced_at=now)


def lane_of(tenant: str) -> str:
    """Return the session of a tenant's runs: one message of a lane is under way at a time."""
    return f"lane-{zlib.crc32(tenant.encode()) % LANES}"
