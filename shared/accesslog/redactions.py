"""Redaction: erase an entry's payload from a log; the tree and every proof stay the same.

For the grounds and the rules see docs/explanation/access-log.md, "Erasing from the log".
"""

import logging
from typing import Final, Literal

import msgspec

from shared.accesslog.entries import Entry
from shared.accesslog.payloads import entry_from, readable
from shared.accesslog.proofs.checkpoints import Checkpoints
from shared.accesslog.proofs.entry_proofs import EntryProofs
from shared.accesslog.proofs.keys import LogKeys
from shared.accesslog.reading.filters import listed
from shared.accesslog.reading.views import Listed
from shared.accesslog.service import AccessLog
from shared.accesslog.storage.errors import EventIdReusedError, LogDamagedError
from shared.accesslog.storage.store import LogStore
from shared.errors import ConflictError, ForbiddenError
from shared.identity.rules import TENANT_ROLES, Caller
from shared.ids import new_id
from shared.merkle import ProofError, Redaction, is_redaction, leaf_hash, verify_inclusion
from shared.messages.cloudevents import SOURCE
from shared.messages.contracts import AccessRecorded
from shared.ports import Clock

type Reason = Literal["gdpr-art-17", "gdpr-art-16", "court-order"]

ACTION: Final = "log.entry-redacted"

logger = logging.getLogger("vouchsafe.accesslog")


def require_redactable(entry: Entry, caller: Caller) -> None:
    """Raise unless `caller` may redact `entry`.

    Raises ConflictError for the record of a redaction. Raises ForbiddenError when the vendor would
    erase anything but an action of the tenant's own people. Every further entry is evidence against
    the vendor, under any role name of the reporting service.
    """
    if entry.action == ACTION:
        raise ConflictError(
            "log-entry-not-redactable",
            "The entry records a redaction.",
            "Leave it: it names nobody but who asked for the redaction, by an id.",
        )
    is_tenants = (
        entry.actor.role in TENANT_ROLES and entry.actor.organisation != caller.organisation
    )
    if caller.tenant is None and not is_tenants:
        raise ForbiddenError(
            "log-entry-of-vendor",
            "The entry records what was done by others than the tenant's own people.",
            "Let an administrator of the tenant redact it.",
        )


class Redactions:
    """Redacts entries of the tenants' logs. The log records a redaction before the erasure."""

    def __init__(
        self,
        store: LogStore,
        log: AccessLog,
        checkpoints: Checkpoints,
        keys: LogKeys,
        clock: Clock,
    ) -> None:
        self._store = store
        self._log = log
        self._checkpoints = checkpoints
        self._proofs = EntryProofs(store, checkpoints)
        self._keys = keys
        self._clock = clock

    async def redact(
        self, tenant: str, index: int, reason: Reason, ticket: str, caller: Caller
    ) -> Listed:
        """Replace an entry's payload by a signed note; a redacted entry stays unchanged.

        A published checkpoint covers the entry first, and so binds the leaf hash. Raises the errors
        of `require_redactable`, and NotFoundError for an absent entry. Raises LogDamagedError for
        an entry that differs from the logged entry: the changed entry is evidence.
        """
        found = await self._proofs.prove(tenant, index)
        if is_redaction(found.entry):
            return listed(index, found.entry)
        try:
            checkpoint = found.checkpoint
            verify_inclusion(
                index, checkpoint.size, leaf_hash(found.entry), found.proof, checkpoint.root_hash
            )
        except ProofError as error:
            raise LogDamagedError(index) from error
        try:
            require_redactable(entry_from(found.entry), caller)
        except msgspec.DecodeError as error:
            raise LogDamagedError(index) from error
        await self._record(tenant, index, reason, ticket, caller)
        origin = self._checkpoints.origin(tenant)
        redaction = Redaction(origin, index, found.leaf, self._clock(), reason)
        note = redaction.sign(await self._keys.signers(origin))
        # A redaction that was faster may have left another note.
        return listed(index, await self._store.replace(tenant, index, note))

    async def _record(
        self, tenant: str, index: int, reason: Reason, ticket: str, caller: Caller
    ) -> None:
        # An earlier attempt may have recorded the redaction and then failed.
        if await self._is_recorded(tenant, index):
            return
        recorded = AccessRecorded(
            tenant=tenant,
            actor=caller.actor(),
            action=ACTION,
            resource=f"log/entries/{index}",
            outcome="allowed",
            purpose=reason,
            ticket=ticket,
        )
        now = self._clock()
        try:
            await self._log.record(recorded, _identifier(index), now)
        except EventIdReusedError:
            if await self._is_recorded(tenant, index):
                logger.info("the redaction of entry %d was recorded by another request", index)
                return
            # A different event has the id: nothing is erased without a record of the erasure.
            await self._log.record(recorded, new_id(now), now)

    async def _is_recorded(self, tenant: str, index: int) -> bool:
        place = await self._store.find(tenant, SOURCE, _identifier(index))
        if place is None:
            return False
        found = readable(await self._proofs.entry(tenant, place))
        return found is not None and (found.action, found.resource) == (
            ACTION,
            f"log/entries/{index}",
        )


def _identifier(index: int) -> str:
    return f"redaction-{index}"
