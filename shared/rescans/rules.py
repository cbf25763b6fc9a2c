"""The life of a rescan, and the consequences of a scan of a stored asset: pure rules.

counting -> running <-> paused -> completed
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from shared.assets.rules import Asset, EngineVerdict
from shared.assets.runs import Run, restarted
from shared.catalogue import QUARANTINE_CONTAINER
from shared.errors import ConflictError, NotFoundError
from shared.messages.contracts import AccessRecorded, Actor, IncidentOpened

SYSTEM: Final = Actor(id="vouchsafe.rescans", role="system", organisation="vendor")

# Instances that start before a deployment ends still have the older signatures.
SETTLING: Final = timedelta(hours=1)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

type Outcome = Literal["clean", "refused", "infected", "missing", "changed", "failed"]


class Rescan(Run, frozen=True, kw_only=True):
    """A rescan: the assets of a tenant that were last scanned before `before`.

    `engine`, `engine_version` and `signature_version` narrow the choice to assets with a verdict of
    an engine of these versions. `counted` assets are in the range of time, `counted_bytes` is the
    sum of the sizes. `scanned` were scanned again, `failed` could not be, and `passed` were not
    chosen, or were erased or scanned in the meantime. `bytes` were read, and `found` assets are
    infected. `cursor` is a row of the index.
    """

    before: datetime
    engine: str | None = None
    engine_version: str | None = None
    signature_version: str | None = None
    counted_bytes: int = 0
    scanned: int = 0
    failed: int = 0
    passed: int = 0
    bytes: int = 0
    found: int = 0

    @property
    def remaining(self) -> int:
        """The number of counted assets that were not looked at; 0 at the end."""
        done = self.scanned + self.failed + self.passed
        return 0 if self.status == "completed" else max(self.counted - done, 0)

    @property
    def is_scheduled(self) -> bool:
        """Tell whether the timer opened the rescan."""
        return self.requested_by.id == SYSTEM.id


class Choice(msgspec.Struct, frozen=True):
    """The assets to scan again: by the time of the last scan, and by the engine of a verdict."""

    before: datetime | None = None
    engine: str | None = None
    engine_version: str | None = None
    signature_version: str | None = None


def open_rescan(tenant: str, rescan: str, choice: Choice, actor: Actor, now: datetime) -> Rescan:
    """Return a new rescan. An asset that the rescan has scanned is never chosen a second time."""
    return Rescan(
        id=rescan,
        tenant=tenant,
        status="counting",
        requested_by=actor,
        requested_at=now,
        before=now if choice.before is None else min(max(choice.before, _EARLIEST), now),
        advanced_at=now,
        engine=choice.engine,
        engine_version=choice.engine_version,
        signature_version=choice.signature_version,
    )


def chooses(state: Rescan, asset: Asset) -> bool:
    """Tell whether the rescan chooses an asset of its range of time."""
    return any(
        state.engine in (None, scan.engine)
        and state.engine_version in (None, scan.engine_version)
        and state.signature_version in (None, scan.signature_version)
        for scan in asset.scans
    )


def counted(state: Rescan, assets: int, size: int, last: str, now: datetime) -> Rescan:
    """Add a count; `last` is the last counted row of the index, "" at the end of the count."""
    return msgspec.structs.replace(
        state,
        status="counting" if last else "running",
        counted=state.counted + assets,
        counted_bytes=state.counted_bytes + size,
        cursor=last,
        batch=state.batch + 1,
        advanced_at=now,
    )


def passed_over(state: Rescan, row: str) -> Rescan:
    """Leave out an asset that the rescan does not choose; `row` is the row of the index."""
    return msgspec.structs.replace(state, passed=state.passed + 1, cursor=row)


def looked_at(state: Rescan, outcome: Outcome, size: int, row: str, now: datetime) -> Rescan:
    """Add the outcome of a scan of `size` bytes; `row` is the row of the index."""
    failed = outcome in ("missing", "changed", "failed")
    return msgspec.structs.replace(
        state,
        scanned=state.scanned + (not failed),
        failed=state.failed + failed,
        bytes=state.bytes + (0 if outcome == "missing" else size),
        found=state.found + (outcome == "infected"),
        cursor=row,
        advanced_at=now,
    )


def paused(state: Rescan, now: datetime) -> Rescan:
    """Wait for the next day's budget."""
    return msgspec.structs.replace(state, status="paused", advanced_at=now)


def resumed(state: Rescan, now: datetime, *, has_room: bool) -> Rescan | None:
    """Return the rescan to send a message for; None for a rescan that needs no message.

    `has_room` tells whether the day's budget has room.
    """
    if state.status == "paused" and has_room:
        return msgspec.structs.replace(state, status="running", advanced_at=now)
    return restarted(state, now)


def has_room(spent: int, limit: int) -> bool:
    """Tell whether the day's budget takes a further asset.

    The last asset of a day may exceed the budget: an asset larger than the budget has its turn too.
    """
    return spent < limit


def outcome_of(asset: Asset, sha256: str, verdicts: Sequence[EngineVerdict]) -> Outcome:
    """Judge the scan of an asset's bytes. A match counts, whatever bytes were read."""
    if any(verdict.matches for verdict in verdicts):
        return "infected"
    if sha256 != asset.sha256:
        return "changed"
    return "refused" if any(verdict.refusal for verdict in verdicts) else "clean"


def after_scan(
    asset: Asset,
    outcome: Outcome,
    verdicts: Sequence[EngineVerdict],
    now: datetime,
    content_notes: Sequence[str] | None = None,
) -> Asset:
    """Return the asset's record after a scan. A refusal is kept beside the asset's own verdict.

    The verdict of an engine that did not scan this time stays. An asset whose bytes are missing or
    changed keeps every verdict. Without `content_notes` the notes stay.
    """
    if outcome in ("missing", "changed", "failed"):
        return msgspec.structs.replace(asset, scan_failed_at=now)
    names = {verdict.engine for verdict in verdicts}
    kept = tuple(scan for scan in asset.scans if scan.engine not in names)
    scanned = msgspec.structs.replace(
        asset, scans=(*kept, *verdicts), scanned_at=now, scan_failed_at=None
    )
    if content_notes is not None:
        scanned = msgspec.structs.replace(scanned, content_notes=tuple(content_notes))
    if outcome != "infected":
        return scanned
    return msgspec.structs.replace(
        scanned,
        verdict="infected",
        reason="malware-found",
        container=QUARANTINE_CONTAINER.name,
        blob=f"{asset.tenant}/{asset.id}",
    )


_INCIDENTS: Final[dict[Outcome, tuple[str, Literal["warning", "critical"], str]]] = {
    "infected": (
        "asset.malware-found",
        "critical",
        "A stored asset was found infected by newer signatures, and is quarantined.",
    ),
    "refused": (
        "asset.not-scannable",
        "warning",
        "An engine can no longer clear a stored asset; the asset stays in use.",
    ),
    "missing": (
        "asset.bytes-missing",
        "critical",
        "The bytes of a stored asset are missing: the asset could not be scanned again.",
    ),
    "changed": (
        "asset.bytes-differ",
        "critical",
        "The bytes of a stored asset are not the bytes that were cleared.",
    ),
    "failed": ("asset.scan-failure", "warning", "A stored asset could not be scanned again."),
}


def incident_of(before: Asset, after: Asset, outcome: Outcome) -> IncidentOpened | None:
    """Return the incident for the outcome of a scan; None without one.

    A refusal that the record had before opens no second incident.
    """
    if outcome not in _INCIDENTS or (outcome == "refused" and refusals(after) <= refusals(before)):
        return None
    kind, severity, summary = _INCIDENTS[outcome]
    return IncidentOpened(
        kind=kind,
        severity=severity,
        summary=summary,
        resource=f"assets/{before.id}",
        tenant=before.tenant,
    )


def refusals(asset: Asset) -> frozenset[tuple[str, str]]:
    """Return each refusing engine of a record with the reason."""
    return frozenset((scan.engine, scan.refusal) for scan in asset.scans if scan.refusal)


def quarantined(asset: Asset) -> AccessRecorded:
    """Make the log entry of a stored asset that was quarantined."""
    return AccessRecorded(
        tenant=asset.tenant,
        actor=SYSTEM,
        action="asset.quarantined",
        resource=f"assets/{asset.id}",
        outcome="denied",
        reason=asset.reason,
    )


def step_of(state: Rescan, action: str) -> AccessRecorded:
    """Make the log entry of a step of a rescan."""
    return AccessRecorded(
        tenant=state.tenant,
        actor=state.requested_by if action == "rescan.requested" else SYSTEM,
        action=action,
        resource=f"rescans/{state.id}",
        outcome="allowed",
    )


def check_new(unfinished: Collection[Rescan]) -> None:
    """Allow a person's request. Raises ConflictError while an earlier request is unfinished."""
    if any(not one.is_scheduled for one in unfinished):
        raise ConflictError(
            "rescan-unfinished",
            "An earlier rescan of the tenant is not finished.",
            "Wait for its end; its record shows the progress.",
        )


def rescans_off() -> ConflictError:
    """Make the answer of a stamp that scans nothing again."""
    return ConflictError(
        "rescans-off",
        "This stamp scans no stored asset again.",
        "Set RESCAN_BYTES_A_DAY, and an engine in SCANNER that scans on demand.",
    )


def rescan_not_found() -> NotFoundError:
    """Make the answer for a rescan that the tenant does not have."""
    return NotFoundError(
        "rescan-not-found",
        "The tenant has no such rescan.",
        "List the tenant's rescans to see which there are.",
    )
