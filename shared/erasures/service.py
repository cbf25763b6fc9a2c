"""Erasure requests, step by step. Every step can be repeated after a crash at any line."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from shared.assets import Assets, index_keys
from shared.catalogue import ERASURE_BATCHES_QUEUE, ERASURE_REQUESTS_QUEUE
from shared.compare_and_set import compare_and_set
from shared.erasures import rules
from shared.erasures.rules import SYSTEM, Erasure, ErasureDecision, Preview
from shared.erasures.store import ErasureStore
from shared.errors import InvalidInputError, PreconditionFailedError, RowConflictError
from shared.ids import new_id
from shared.messages import encode
from shared.messages.contracts import (
    Actor,
    ErasureApproved,
    ErasureBatchReady,
    ErasureRequested,
)
from shared.ports import Clock, Secrets

IDENTIFIER_SECRET = "erasure-identifiers"  # noqa: S105 - the name of the secret, not the secret
_CONCURRENT_ASSETS = 8

if TYPE_CHECKING:
    # Imported for the name alone; a cold start would pay for the module.
    from shared.accesslog import AccessLog

logger = logging.getLogger("vouchsafe.erasures")


class Erasures:
    """Erasure requests of every tenant."""

    def __init__(
        self,
        store: ErasureStore,
        assets: Assets,
        log: "AccessLog",
        secrets: Secrets,
        clock: Clock,
    ) -> None:
        self._store = store
        self._assets = assets
        self._log = log
        self._secrets = secrets
        self._clock = clock

    async def request(self, tenant: str, name: str, actor: Actor, request: str) -> ErasureDecision:
        """Open an erasure request for the person called `name`; `request` is the request's id.

        The same id twice is one request, and the second decision has no entry. Raises
        InvalidInputError for a name without letters and digits.
        """
        if not any(character.isalnum() for character in name):
            raise InvalidInputError(
                "identifier-empty",
                "The name has no letters or digits to search for.",
                "Give the person's name or e-mail address as it stands in the pictures.",
            )
        now = self._clock()
        identifier = await self._encrypted(name)
        decision = rules.open_request(tenant, identifier, actor, request, now)
        requested = ErasureRequested(tenant=tenant, request_id=request)
        message = encode(
            ERASURE_REQUESTS_QUEUE.name,
            requested,
            identifier=f"{request}-requested",
            now=now,
            session=tenant,
        )
        try:
            await self._store.commit(decision, None, [message])
        except RowConflictError:
            state, _ = await self._store.load(tenant, request)
            return ErasureDecision(state, None)
        return decision

    async def discover(self, tenant: str, request: str) -> None:
        """Find the assets that name the person, and prepare the preview for approval."""
        state, etag = await self._store.load(tenant, request)
        preview, discovery = Preview(0, 0, 0), new_id(self._clock())
        if state.status == "discovering" and state.identifier is not None:
            name = await self._decrypted(state.identifier)
            keys = index_keys(name, await self._assets.subject_secret())
            assets, unfiled = await self._assets.of_subject(tenant, keys)
            found = sorted([asset.id for asset in assets] + unfiled)
            await self._store.keep_items(state, discovery, found)
            preview = Preview(
                assets=len(found),
                bytes=sum(asset.size for asset in assets),
                index_rows=sum(len(asset.subjects) for asset in assets),
            )
        decision = rules.discovered(state, preview, discovery, self._clock())
        await self._store.commit(decision, etag)

    async def find(self, tenant: str, request: str) -> tuple[Erasure, str]:
        """Return a request and the ETag. Raises NotFoundError for a missing request."""
        return await self._store.load(tenant, request)

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Erasure], str | None]:
        """Return a page of a tenant's requests, oldest first, and the token of the next page."""
        return await self._store.page(tenant, size, continuation)

    async def found(self, tenant: str, request: str) -> AsyncIterator[str]:
        """Yield the ids of the assets that a request found."""
        state, _ = await self._store.load(tenant, request)
        async for asset in self._store.items(state):
            yield asset

    async def approve(self, tenant: str, request: str, actor: Actor, etag: str) -> ErasureDecision:
        """Approve the preview that was seen with `etag`; the erasure then starts.

        A repeated approval by the same person is a decision without an entry. Raises
        LogDamagedError while the tenant's log takes no entries: no erasure goes unlogged. Raises
        the errors of `rules.approve`, and PreconditionFailedError when the request has changed.
        """
        state, _ = await self._store.load(tenant, request)
        now = self._clock()
        decision = rules.approve(state, actor, now)
        if decision.entry is not None:
            await self._log.require_appendable(tenant)
        approved = ErasureApproved(tenant=tenant, request_id=request)
        message = encode(
            ERASURE_REQUESTS_QUEUE.name,
            approved,
            identifier=f"{request}-approved",
            now=now,
            session=tenant,
        )
        try:
            await self._store.commit(decision, etag, [message])
        except RowConflictError as error:
            raise PreconditionFailedError(
                "if-match-failed",
                "The request has changed since you read it.",
                "Read it again, and decide again.",
            ) from error
        return decision

    async def start(self, tenant: str, request: str) -> None:
        """Queue the batches of an approved request.

        Raises UnavailableError while the tenant's log takes no entries.
        """
        state, _ = await self._store.load(tenant, request)
        if state.status == "erasing":
            await self._log.defer_unless_appendable(tenant)
            now = self._clock()
            messages = [
                encode(
                    ERASURE_BATCHES_QUEUE.name,
                    ErasureBatchReady(tenant=tenant, request_id=request, batch=batch),
                    identifier=f"{request}-{batch}",
                    now=now,
                )
                for batch in range(rules.batches(state))
            ]
            await self._store.start_batches(state, messages)
        await self._store.flush(tenant)
        await self._complete(tenant, request)

    async def erase_batch(self, tenant: str, request: str, batch: int) -> None:
        """Erase the assets of one batch; the last batch completes the request.

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
        await self._complete(tenant, request)

    async def _complete(self, tenant: str, request: str) -> None:
        async def attempt() -> None:
            state, etag = await self._store.load(tenant, request)
            done = await self._store.batches_done(state)
            await self._store.commit(rules.complete(state, done, self._clock()), etag)

        await compare_and_set(attempt)

    async def _encrypted(self, text: str) -> str:
        from cryptography.fernet import Fernet

        secret = await self._secrets.get(IDENTIFIER_SECRET)
        return Fernet(secret.value).encrypt(text.encode()).decode()

    async def _decrypted(self, token: str) -> str:
        from cryptography.fernet import Fernet

        secret = await self._secrets.get(IDENTIFIER_SECRET)
        return Fernet(secret.value).decrypt(token.encode()).decode()
