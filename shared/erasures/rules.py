"""The life of an erasure request: pure rules.

discovering -> awaiting-approval -> erasing -> verifying -> completed

`verifying` looks at what was filed since the discovery. A new find leads back to
`awaiting-approval`: nothing is erased that nobody has seen, and nothing new is passed over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from shared.erasures.finds import FindChoice, for_later_finds
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.messages.contracts import AccessRecorded, Actor
from shared.rows import Stored
from shared.subjects.notes import NOT_OPENED

# The assets of a message: few enough to be erased well within a message's lock.
BATCH_SIZE: Final = 25

SYSTEM: Final = Actor(id="vouchsafe.erasures", role="system", organisation="vendor")

type ErasureStatus = Literal[
    "discovering", "awaiting-approval", "erasing", "verifying", "completed"
]


class Counts(Stored, frozen=True):
    """Finds by certainty, and the assets and bytes that are included now."""

    named: int = 0
    likely: int = 0
    possible: int = 0
    assets: int = 0
    bytes: int = 0


class Erasure(Stored, frozen=True):
    """An erasure request. `identifiers` are the data subject's, sealed, and gone at the end.

    `identifiers_key` is the version of the data key that sealed the identifiers. `possible` asks
    for finds that are only possible. `discovery` is the present run of discovery,
    `discovery_started_at` its start, and `earlier` are the runs before. `counts` are the preview,
    with the managers' decisions. `choice` has the decisions on whole fields and certainties; those
    that include finds hold for one preview.
    `not_looked_into` counts the assets whose metadata could not be read whole, by note. `batches`
    is the number of batches of the approved assets, once known.
    """

    id: str
    tenant: str
    status: ErasureStatus
    requested_by: Actor
    requested_at: datetime
    discovery: str
    discovery_started_at: datetime
    possible: bool = False
    identifiers: str | None = None
    identifiers_key: str | None = None
    earlier: tuple[str, ...] = ()
    counts: Counts = Counts()
    choice: FindChoice = FindChoice()
    assets_read: int = 0
    not_looked_into: dict[str, int] = msgspec.field(default_factory=dict)
    previewed_at: datetime | None = None
    decided_by: Actor | None = None
    decided_at: datetime | None = None
    approved_by: Actor | None = None
    approved_at: datetime | None = None
    batches: int | None = None
    completed_at: datetime | None = None

    @property
    def shown(self) -> str:
        """The run of discovery whose finds are shown: of the last preview, also once completed."""
        is_over = self.status in ("verifying", "completed")
        return self.earlier[-1] if is_over and self.earlier else self.discovery


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a run of discovery; `assets_read` counts the records that were searched."""

    counts: Counts
    assets_read: int
    not_looked_into: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ErasureDecision:
    """The request to keep, and the entry for the tenant's log; None without a change."""

    state: Erasure
    entry: AccessRecorded | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed identifiers, in base64, and the version of the data key."""

    text: str
    key: str


def open_request(
    tenant: str,
    identifiers: Sealed,
    actor: Actor,
    request: str,
    discovery: str,
    now: datetime,
    *,
    possible: bool,
) -> ErasureDecision:
    """Open a request; `discovery` is the id of the first run of discovery."""
    state = Erasure(
        id=request,
        tenant=tenant,
        status="discovering",
        requested_by=actor,
        requested_at=now,
        discovery=discovery,
        discovery_started_at=now,
        possible=possible,
        identifiers=identifiers.text,
        identifiers_key=identifiers.key,
    )
    return ErasureDecision(state, entry(state, "erasure.requested", actor))


def discovered(state: Erasure, discovery: str, preview: Preview, now: datetime) -> ErasureDecision:
    """Add the preview of a run of discovery to the request.

    A run that verifies, finds nothing new and opens as many records as before completes the
    request. Another run, or a later status, changes nothing.
    """
    if state.discovery != discovery or state.status not in ("discovering", "verifying"):
        return ErasureDecision(state, None)
    counts = preview.counts
    is_empty = counts.named + counts.likely + counts.possible == 0
    if state.status == "verifying" and is_empty and not _hides_more(state, preview):
        state = msgspec.structs.replace(
            state,
            status="completed",
            completed_at=now,
            identifiers=None,
            identifiers_key=None,
            choice=FindChoice(),
            assets_read=preview.assets_read,
            not_looked_into=dict(preview.not_looked_into),
        )
        return ErasureDecision(state, entry(state, "erasure.completed", SYSTEM))
    state = msgspec.structs.replace(
        state,
        status="awaiting-approval",
        counts=counts,
        assets_read=preview.assets_read,
        not_looked_into=dict(preview.not_looked_into),
        previewed_at=now,
        approved_by=None,
        approved_at=None,
        batches=None,
    )
    return ErasureDecision(state, entry(state, "erasure.previewed", SYSTEM))


def decide_finds(
    state: Erasure, choice: FindChoice, counts: Counts, actor: Actor, now: datetime
) -> ErasureDecision:
    """Keep a manager's decisions on the finds. Raises ConflictError without a preview."""
    require_preview(state)
    state = msgspec.structs.replace(
        state, choice=choice, counts=counts, decided_by=actor, decided_at=now
    )
    return ErasureDecision(state, entry(state, "erasure.finds-decided", actor))


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
    require_preview(state)
    state = msgspec.structs.replace(state, status="erasing", approved_by=actor, approved_at=now)
    return ErasureDecision(state, entry(state, "erasure.approved", actor))


def batches_of(assets: int) -> int:
    """Return the number of batches of so many assets."""
    return -(-assets // BATCH_SIZE)


def verify(state: Erasure, batches_done: int, discovery: str, now: datetime) -> ErasureDecision:
    """Begin to verify, once every batch is done: search every record again.

    No clock tells which assets were filed since the discovery. `discovery` is the id of the new run
    of discovery.
    """
    is_done = state.batches is not None and batches_done >= state.batches
    if state.status != "erasing" or not is_done:
        return ErasureDecision(state, None)
    state = msgspec.structs.replace(
        state,
        status="verifying",
        earlier=(*state.earlier, state.discovery),
        discovery=discovery,
        discovery_started_at=now,
        choice=for_later_finds(state.choice),
    )
    return ErasureDecision(state, entry(state, "erasure.verifying", SYSTEM))


def _hides_more(state: Erasure, preview: Preview) -> bool:
    """Tell whether more records could not be opened than when the request was approved."""
    before = state.not_looked_into.get(NOT_OPENED, 0)
    return preview.not_looked_into.get(NOT_OPENED, 0) > before


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


def request_over() -> ConflictError:
    """Make the answer for a completed request, which shows neither texts nor pictures."""
    return ConflictError(
        "erasure-completed",
        "The erasure request is completed, and shows neither texts nor pictures any more.",
        "Look at the assets that are left in the DAM.",
    )


def require_preview(state: Erasure) -> None:
    """Raise ConflictError unless the request has a preview to decide on."""
    if state.status != "awaiting-approval":
        raise ConflictError(
            "erasure-not-awaiting-approval",
            f"The erasure request is {state.status}.",
            "Wait for the preview, or do nothing if it was approved before.",
        )
