"""Erasure requests, step by step. Every step can be repeated after a crash at any line."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from shared.assets import Assets
from shared.catalogue import (
    ERASURE_BATCHES_QUEUE,
    ERASURE_REQUESTS_QUEUE,
    INCOMING_CONTAINER,
)
from shared.compare_and_set import compare_and_set
from shared.erasures import ranges, rules
from shared.erasures.discovery import Discovery
from shared.erasures.evidence import AssetEvidence, FindEvidence
from shared.erasures.finds import (
    MORE_FIELDS,
    CertaintyDecision,
    FieldDecision,
    Find,
    FindDecision,
    FindReason,
    SingleDecision,
    decision_on,
    no_such_field,
    no_such_find,
    with_choice,
)
from shared.erasures.groups import Groups
from shared.erasures.ranges import DiscoveryProgress
from shared.erasures.rules import SYSTEM, Erasure, ErasureDecision
from shared.erasures.sealing import ErasureSeals
from shared.erasures.store import ErasureStore
from shared.errors import PreconditionFailedError, RowConflictError, UnavailableError
from shared.ids import new_id
from shared.messages import encode
from shared.messages.contracts import Actor, ErasureApproved, ErasureBatchReady
from shared.ports import Blobs, Clock
from shared.subjects.matching import Certainty, Matcher
from shared.tenancy import Tenants

_CONCURRENT_ASSETS = 8
# The time after which a timer sends the message of a range again: the lifetime of a message.
_FORGOTTEN = timedelta(hours=1)

if TYPE_CHECKING:
    # Imported for the name alone; a cold start would pay for the module.
    from shared.accesslog import AccessLog

logger = logging.getLogger("vouchsafe.erasures")


@dataclass(frozen=True, slots=True)
class Shown:
    """A find with the decision that holds, the decision's reason, and the evidence."""

    find: Find
    decision: FindDecision
    reason: FindReason | None
    evidence: Sequence[AssetEvidence]


class Erasures:
    """Erasure requests of every tenant."""

    def __init__(
        self,
        store: ErasureStore,
        discovery: Discovery,
        evidence: FindEvidence,
        seals: ErasureSeals,
        groups: Groups,
        assets: Assets,
        blobs: Blobs,
        tenants: Tenants,
        log: "AccessLog",
        clock: Clock,
    ) -> None:
        self._store = store
        self._discovery = discovery
        self._evidence = evidence
        self._seals = seals
        self._groups = groups
        self._assets = assets
        self._blobs = blobs
        self._tenants = tenants
        self._log = log
        self._clock = clock

    async def request(
        self,
        tenant: str,
        identifiers: Sequence[str],
        actor: Actor,
        request: str,
        *,
        possible: bool = False,
    ) -> ErasureDecision:
        """Open a request for the data subject with `identifiers`; `request` is the request's id.

        `possible` asks for finds that are only possible. The discovery starts at once. The same id
        twice is one request, and the second decision has no entry. Raises InvalidInputError for an
        identifier that cannot be searched for, and UnavailableError without a usable data key.
        """
        await asyncio.to_thread(Matcher, identifiers)
        now = self._clock()
        sealed = await self._seals.seal(tenant, request, identifiers)
        decision = rules.open_request(
            tenant, sealed, actor, request, new_id(now), now, possible=possible
        )
        state = decision.state
        insert, message = self._store.first_range(state, ranges.whole(now))
        try:
            await self._store.commit(decision, None, [message], [insert])
        except RowConflictError:
            state, _ = await self._store.load(tenant, request)
            await self._seals.require_same(state, identifiers)
            return ErasureDecision(state, None)
        return decision

    async def find(self, tenant: str, request: str) -> tuple[Erasure, str]:
        """Return a request and the ETag. Raises NotFoundError for a missing request."""
        return await self._store.load(tenant, request)

    async def progress(self, state: Erasure) -> DiscoveryProgress | None:
        """Return how far the discovery of a request is; None while no discovery runs."""
        if state.status not in ("discovering", "verifying"):
            return None
        searched = await self._store.ranges(state)
        return ranges.progress(searched, state.discovery_started_at, self._clock())

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Erasure], str | None]:
        """Return a page of a tenant's requests, oldest first, and the token of the next page."""
        return await self._store.page(tenant, size, continuation)

    async def finds(
        self,
        tenant: str,
        request: str,
        certainty: Certainty,
        *,
        size: int,
        continuation: str | None,
    ) -> tuple[Sequence[Shown], str | None]:
        """Return a page of the finds of a certainty with evidence, and the next page's token.

        Raises ConflictError without the tenant's data key. A completed request has no evidence.
        """
        state, _ = await self._store.load(tenant, request)
        finds, following = await self._store.page_of_finds(state, certainty, size, continuation)
        evidence = await self._evidence.of_finds(state, finds)
        return [
            Shown(find, *decision_on(find, state.choice), evidence=one)
            for find, one in zip(finds, evidence, strict=True)
        ], following

    async def included(self, tenant: str, request: str) -> AsyncIterator[str]:
        """Yield the ids of the assets that a request includes and, once approved, erases."""
        state, _ = await self._store.load(tenant, request)
        async for asset, _, _ in self._groups.included(state):
            yield asset

    async def decide(
        self,
        tenant: str,
        request: str,
        actor: Actor,
        etag: str,
        *,
        finds: Sequence[SingleDecision] = (),
        fields: Sequence[FieldDecision] = (),
        certainties: Sequence[CertaintyDecision] = (),
    ) -> ErasureDecision:
        """Keep a manager's decisions on the preview that was seen with `etag`.

        Raises NotFoundError for a find or a field that the preview does not have, ConflictError
        without a preview, and PreconditionFailedError when the request has changed.
        """
        state, _ = await self._store.load(tenant, request)
        rules.require_preview(state)
        decided: dict[str, Find] = {}
        for one in finds:
            find = decided.get(one.id) or await self._store.find(state, state.discovery, one.id)
            if find is None:
                raise no_such_find()
            decided[one.id] = msgspec.structs.replace(
                find, decision=one.decision, reason=one.reason
            )
        if fields:
            await self._require_fields(state, {one.field for one in fields})
        choice = with_choice(state.choice, fields, certainties)
        chosen = msgspec.structs.replace(state, choice=choice)
        counts = await self._discovery.counts(chosen, lambda find: decided.get(find.id, find))
        decision = rules.decide_finds(state, choice, counts, actor, self._clock())
        operations = self._store.decided(state, decided.values())
        try:
            await self._store.commit(decision, etag, operations=operations)
        except RowConflictError as error:
            raise _changed() from error
        return decision

    async def _require_fields(self, state: Erasure, fields: set[str]) -> None:
        """Raise NotFoundError for a field that no find of the preview has a match in."""
        async for find in self._store.finds_of(state, state.discovery):
            fields -= set(find.fields)
            if not fields or MORE_FIELDS in find.fields:
                return
        raise no_such_field()

    async def approve(self, tenant: str, request: str, actor: Actor, etag: str) -> ErasureDecision:
        """Approve the preview that was seen with `etag`; the erasure then starts.

        A repeated approval by the same person is a decision without an entry. Raises
        LogDamagedError while the tenant's log takes no entries: no erasure goes unlogged. Raises
        ConflictError where the evidence of an included find cannot be shown, the errors of
        `rules.approve`, and PreconditionFailedError when the request has changed.
        """
        state, _ = await self._store.load(tenant, request)
        now = self._clock()
        decision = rules.approve(state, actor, now)
        if decision.entry is not None:
            await self._log.require_appendable(tenant)
            await self._evidence.require(state)
        approved = ErasureApproved(tenant=tenant, request_id=request)
        message = encode(
            ERASURE_REQUESTS_QUEUE.name,
            approved,
            identifier=f"{state.discovery}-approved",
            now=now,
            session=tenant,
        )
        try:
            await self._store.commit(decision, etag, [message])
        except RowConflictError as error:
            raise _changed() from error
        return decision

    async def start(self, tenant: str, request: str) -> None:
        """Queue the batches of an approved request.

        Raises UnavailableError while the tenant's log takes no entries.
        """
        state, etag = await self._store.load(tenant, request)
        if state.status == "erasing":
            await self._log.defer_unless_appendable(tenant)
            if state.batches is None:
                await self._store.settle(state)
                kept = await self._store.keep_items(state, self._groups.approved(state))
                await self._store.keep_batches(state, rules.batches_of(kept), etag)
                state, _ = await self._store.load(tenant, request)
            now = self._clock()
            messages = [
                encode(
                    ERASURE_BATCHES_QUEUE.name,
                    ErasureBatchReady(tenant=tenant, request_id=request, batch=batch),
                    identifier=f"{state.discovery}-{batch}",
                    now=now,
                )
                for batch in range(state.batches or 0)
            ]
            await self._store.start_batches(state, messages)
        await self._store.flush(tenant)
        await self._verify(tenant, request)

    async def erase_batch(self, tenant: str, request: str, batch: int) -> None:
        """Erase the assets of one batch; after the last batch the request is verified.

        Raises UnavailableError while the tenant's log takes no entries: nothing is erased unlogged.
        """
        state, _ = await self._store.load(tenant, request)
        if state.status == "erasing":
            await self._log.defer_unless_appendable(tenant)
            limit = asyncio.Semaphore(_CONCURRENT_ASSETS)

            async def erase(asset: str) -> None:
                step = rules.entry(state, "asset.erased", SYSTEM, f"assets/{asset}")
                async with limit:
                    await self._assets.erase(tenant, asset, request, step)

            try:
                async with asyncio.TaskGroup() as tasks:
                    async for asset in self._store.items(state, batch):
                        tasks.create_task(erase(asset))
            except ExceptionGroup as failed:
                # The caller handles the fault, not the group.
                raise failed.exceptions[0] from None
            step = rules.entry(state, "erasure.batch-erased", SYSTEM)
            await self._store.finish_batch(state, batch, step)
        await self._verify(tenant, request)

    async def _verify(self, tenant: str, request: str) -> None:
        """Search every record again, once every batch is done.

        While uploads from before the approval wait for intake, a timer tries again.
        """

        async def attempt() -> None:
            state, etag = await self._store.load(tenant, request)
            done = await self._store.batches_done(state)
            now = self._clock()
            decision = rules.verify(state, done, new_id(now), now)
            if decision.entry is None or await self._uploads_wait(state):
                await self._store.flush(tenant)
                return
            begun = decision.state
            insert, message = self._store.first_range(begun, ranges.whole(now))
            await self._store.commit(decision, etag, [message], [insert])

        await compare_and_set(attempt)

    async def _uploads_wait(self, state: Erasure) -> bool:
        """Tell whether an upload from before the approval still waits for intake."""
        async for blob in self._blobs.scan(INCOMING_CONTAINER.name, f"{state.tenant}/"):
            if state.approved_at is not None and blob.last_modified <= state.approved_at:
                return True
        return False

    async def resume(self) -> None:
        """Go on with requests whose messages are gone, or that waited for uploads.

        A message that is sent twice changes nothing.
        """
        async for tenant in self._tenants.every():
            try:
                for state in await self._store.unfinished(tenant.id):
                    await self._resume(state)
            except UnavailableError as error:
                logger.warning("erasures of %s wait: %s", tenant.id, error.service)

    async def _resume(self, state: Erasure) -> None:
        if state.status == "erasing":
            await self.start(state.tenant, state.id)
        elif state.status in ("discovering", "verifying"):
            await self._discovery.resume(state, _FORGOTTEN)


def _changed() -> PreconditionFailedError:
    return PreconditionFailedError(
        "if-match-failed",
        "The request has changed since you read it.",
        "Read it again, and decide again.",
    )
