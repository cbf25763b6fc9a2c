"""Letting an engineer in: decide, record, and only then hand over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.accesses.rules import (
    GONE,
    PERSON_NAMED,
    UNREADABLE,
    AccessDecision,
    Attempt,
    decide,
    failed,
    link_expiry,
)
from shared.accesslog import AccessLog
from shared.accesslog.entries import person_named
from shared.assets import Asset, Assets
from shared.assets.service import bytes_gone
from shared.consents import Consents
from shared.errors import (
    BlobChangedError,
    ForbiddenError,
    NotFoundError,
    RefusalError,
    UnavailableError,
)
from shared.identity.rules import Caller
from shared.ids import new_id
from shared.messages.contracts import AccessRecorded
from shared.ports import BlobInfo, Blobs, Clock

# A larger asset is handed over as a short-lived link, and never passes through the app's memory.
_INLINE_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Handover:
    """An asset's bytes, or a link to a large asset. `entry` is the id of the log entry."""

    entry: str
    grant: str
    media_type: str
    content: bytes | None
    link: str | None


class Accesses:
    """Access to tenants' assets by the vendor's people."""

    def __init__(
        self, assets: Assets, consents: Consents, log: AccessLog, blobs: Blobs, clock: Clock
    ) -> None:
        self._assets = assets
        self._consents = consents
        self._log = log
        self._blobs = blobs
        self._clock = clock

    async def attempt(self, attempt: Attempt, caller: Caller) -> Handover:
        """Carry an attempt out. The tenant's log has every attempt before the function returns or
        raises.

        The log calls an allowed attempt without bytes failed; where the bytes vanish during the
        reading, in an entry after the entry of the access. Raises ForbiddenError when no live grant
        allows the attempt, InvalidInputError when the purpose or ticket names a person,
        NotFoundError when the asset's bytes are gone, and UnavailableError when storage does not
        answer or the entry cannot be kept.
        """
        asset = await self._asset(attempt)
        grants = await self._consents.all(attempt.tenant)
        now = self._clock()
        decision = decide(attempt, caller, asset, grants, now)
        if decision.grant is None or asset is None:
            await self._record(decision.entry)
            raise _denied(decision)
        async with self._recorded_where_it_fails(decision.entry):
            blob = await self._assets.bytes_of(asset)
        entry = await self._record(decision.entry)
        media_type = asset.media_type or "application/octet-stream"
        if blob.size <= _INLINE_LIMIT:
            async with self._recorded_where_it_fails(decision.entry):
                content = await self._content(blob)
            return Handover(entry, decision.grant.id, media_type, content, None)
        expires = link_expiry(decision.grant, now)
        filename = asset.path.rpartition("/")[2]
        link = self._blobs.read_url(blob.container, blob.name, expires, filename)
        return Handover(entry, decision.grant.id, media_type, None, link)

    async def _asset(self, attempt: Attempt) -> Asset | None:
        try:
            return await self._assets.find(attempt.tenant, attempt.asset)
        except NotFoundError:
            return None

    async def _record(self, recorded: AccessRecorded) -> str:
        """Add an entry to the tenant's log; return the entry's id."""
        now = self._clock()
        entry = new_id(now)
        await self._log.record(recorded, entry, now)
        return entry

    @asynccontextmanager
    async def _recorded_where_it_fails(self, allowed: AccessRecorded) -> AsyncIterator[None]:
        try:
            yield
        except (NotFoundError, UnavailableError) as error:
            reason = GONE if isinstance(error, NotFoundError) else UNREADABLE
            await self._record(failed(allowed, reason))
            raise

    async def _content(self, blob: BlobInfo) -> bytes:
        try:
            async with self._blobs.read(blob) as chunks:
                return b"".join([chunk async for chunk in chunks])
        except BlobChangedError as error:
            raise bytes_gone() from error


def _denied(decision: AccessDecision) -> RefusalError:
    if decision.entry.reason == PERSON_NAMED:
        return person_named("purpose or ticket")
    return ForbiddenError(
        "access-denied",
        f"The access was denied and recorded: {decision.entry.reason}.",
        "Ask the tenant for a consent grant that covers this asset, operation, purpose and ticket.",
    )
