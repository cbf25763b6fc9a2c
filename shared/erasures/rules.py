"""The life of an erasure request: pure rules.

discovering -> awaiting-approval -> erasing -> completed
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.messages.contracts import AccessRecorded, Actor
from shared.rows import Stored

# The assets of a message: few enough to be erased well within a message's lock.
BATCH_SIZE: Final = 25

SYSTEM: Final = Actor(id="vouchsafe.erasures", role="system", organisation="vendor")

type ErasureStatus = Literal["discovering", "awaiting-approval", "erasing", "completed"]


class Erasure(Stored, frozen=True):
    """An erasure request. `identifier` is the data subject's, encrypted, and gone at the end.

    `assets`, `bytes` and `index_rows` are the preview: what would be erased. `discovery` is the
    run of discovery whose finds were previewed, and are erased.
    """

    id: str
    tenant: str
    status: ErasureStatus
    requested_by: Actor
    requested_at: datetime
    identifier: str | None = None
    assets: int | None = None
    bytes: int | None = None
    index_rows: int | None = None
    discovery: str | None = None
    previewed_at: datetime | None = None
    approved_by: Actor | None = None
    approved_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a discovery. `bytes` is the sum of the assets' sizes.

    Uploads in intake count as assets, without bytes and index rows.
    """

    assets: int
    bytes: int
    index_rows: int


@dataclass(frozen=True, slots=True)
class ErasureDecision:
    """The request to keep, and the entry for the tenant's log; None without a change."""

    state: Erasure
    entry: AccessRecorded | None


def open_request(
    tenant: str, identifier: str, actor: Actor, request: str, now: datetime
) -> ErasureDecision:
    """A new request; `identifier` is already encrypted."""
    state = Erasure(
        id=request,
        tenant=tenant,
        status="discovering",
        requested_by=actor,
        requested_at=now,
        identifier=identifier,
    )
    return ErasureDecision(state, entry(state, "erasure.requested", actor))


def discovered(state: Erasure, preview: Preview, discovery: str, now: datetime) -> ErasureDecision:
    """Add the preview of a run of discovery to the request. A later status stays unchanged."""
    if state.status != "discovering":
        return ErasureDecision(state, None)
    state = msgspec.structs.replace(
        state,
        status="awaiting-approval",
        assets=preview.assets,
        bytes=preview.bytes,
        index_rows=preview.index_rows,
        discovery=discovery,
        previewed_at=now,
    )
    return ErasureDecision(state, entry(state, "erasure.previewed", SYSTEM))


def approve(state: Erasure, actor: Actor, now: datetime) -> ErasureDecision:
    """Approve the request by a second person.

    Raises ForbiddenError for the requester, ConflictError without a preview to approve. A repeated
    approval by the same person changes nothing.
    """
    if actor.id == state.requested_by.id:
        raise ForbiddenError(
            "erasure-self-approval",
            "An erasure is approved by another person than the one who asked for it.",
            "Let another DAM manager of the tenant look at the preview and approve it.",
        )
    if state.approved_by is not None and state.approved_by.id == actor.id:
        return ErasureDecision(state, None)
    if state.status != "awaiting-approval":
        raise ConflictError(
            "erasure-not-awaiting-approval",
            f"The erasure request is {state.status}.",
            "Wait for the preview, or do nothing if it was approved before.",
        )
    state = msgspec.structs.replace(state, status="erasing", approved_by=actor, approved_at=now)
    return ErasureDecision(state, entry(state, "erasure.approved", actor))


def batches(state: Erasure) -> int:
    """Return the number of batches of the previewed assets."""
    return -(-(state.assets or 0) // BATCH_SIZE)


def complete(state: Erasure, batches_done: int, now: datetime) -> ErasureDecision:
    """The request completed, without the identifier, once every batch is done."""
    if state.status != "erasing" or batches_done < batches(state):
        return ErasureDecision(state, None)
    state = msgspec.structs.replace(state, status="completed", completed_at=now, identifier=None)
    return ErasureDecision(state, entry(state, "erasure.completed", SYSTEM))


def entry(state: Erasure, action: str, actor: Actor, resource: str = "") -> AccessRecorded:
    """Make the log entry of a step; `resource` for a step on anything but the request itself."""
    return AccessRecorded(
        tenant=state.tenant,
        actor=actor,
        action=action,
        resource=resource or f"erasure-requests/{state.id}",
        outcome="allowed",
        purpose="erasure (GDPR Art. 17)",
        ticket=state.id,
    )


def erasure_not_found() -> NotFoundError:
    """Make the answer for a request that the tenant does not have."""
    return NotFoundError(
        "erasure-request-not-found",
        "The tenant has no such erasure request.",
        "List the tenant's erasure requests to see which there are.",
    )
