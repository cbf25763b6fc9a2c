"""Outside witnesses of a tenant's log, and the witnesses' cosignatures of checkpoints.

A tenant registers the public keys of trusted witnesses, for example a witness of the tenant's own.
A witness cosigns a checkpoint after seeing that the log only grew. The cosignature is stored and
served with the checkpoint. Source: C2SP tlog-witness and tlog-cosignature.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.accesslog.entries import new_entry
from shared.accesslog.proofs.checkpoints import Checkpoints, Published
from shared.accesslog.proofs.cosignatures import TABLE, cosignature_row, witnesses_of
from shared.accesslog.proofs.witness import Witness
from shared.errors import (
    ConflictError,
    InvalidInputError,
    MalformedInputError,
    NotFoundError,
    RowConflictError,
)
from shared.identity.rules import Caller
from shared.ids import key, new_id
from shared.merkle import COSIGNATURE, NoteError, VerifierKey, cosignatures, cosigned_at
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded
from shared.ports import Clock, Delete, Insert, Operation, Row, Tables, Upsert
from shared.rows import to_values

_MAX_WITNESSES: Final = 16
_MAX_NAME: Final = 256
# The largest lead of a witness's clock.
_TOLERANCE: Final = timedelta(minutes=5)


class Witnesses:
    """The witnesses of every tenant's log."""

    def __init__(
        self, tables: Tables, checkpoints: Checkpoints, outbox: Outbox, clock: Clock
    ) -> None:
        self._tables = tables
        self._checkpoints = checkpoints
        self._outbox = outbox
        self._clock = clock

    async def add(self, tenant: str, vkey: str, caller: Caller) -> tuple[Witness, bool]:
        """Accept the cosignatures of a witness from now on; a repeated call changes nothing.

        Returns the witness, and True for a new witness.

        Raises InvalidInputError for a key that is no witness's key, and ConflictError at the
        largest number of witnesses.
        """
        try:
            verifier = VerifierKey.parse(vkey)
        except NoteError as error:
            raise _key_invalid() from error
        if verifier.algorithm != COSIGNATURE or len(verifier.name) > _MAX_NAME:
            raise _key_invalid()
        known = {one.id: one for one in await self.all(tenant)}
        witness = known.get(verifier.key_id.hex())
        if witness is not None:
            return witness, False
        if len(known) >= _MAX_WITNESSES:
            raise ConflictError(
                "witness-limit-reached",
                f"A log has at most {_MAX_WITNESSES} witnesses.",
                "Remove one that does not cosign any more.",
            )
        witness = Witness(
            id=verifier.key_id.hex(),
            name=verifier.name,
            vkey=str(verifier),
            added_by=caller.actor(),
            added_at=self._clock(),
        )
        row = Row(key(tenant), key("witness", witness.id), to_values(witness))
        if await self._commit(tenant, Insert(row), "log.witness-added", witness.id, caller):
            return witness, True
        # Another request has just added the witness.
        stored = {one.id: one for one in await self.all(tenant)}
        return stored.get(witness.id, witness), False

    async def all(self, tenant: str) -> Sequence[Witness]:
        """Return the witnesses of a tenant's log."""
        return await witnesses_of(self._tables, tenant)

    async def remove(self, tenant: str, witness: str, caller: Caller) -> None:
        """Accept no more cosignatures of a witness; old cosignatures stay. Raises NotFoundError."""
        row = await self._tables.get(TABLE, key(tenant), key("witness", witness))
        if row is None:
            raise NotFoundError(
                "witness-not-found",
                "The log has no such witness.",
                "List the witnesses of the log to see which there are.",
            )
        removal = Delete(row.partition, row.row, row.etag)
        await self._commit(tenant, removal, "log.witness-removed", witness, caller)

    async def cosign(self, tenant: str, size: int, answer: str) -> Published:
        """Store the cosignatures in a witness's `answer`, and return the cosigned checkpoint.

        Raises NotFoundError for an unpublished `size`, and MalformedInputError for an answer that
        is malformed or does not verify. Raises InvalidInputError for an answer without a registered
        witness's signature, or with a time in the future.
        """
        published = await self._checkpoints.at(tenant, size)
        keys = [VerifierKey.parse(one.vkey) for one in await self.all(tenant)]
        try:
            made = cosignatures(published.note, answer, keys)
            times = [cosigned_at(one) for one in made]
        except NoteError as error:
            raise MalformedInputError(
                "cosignature-invalid",
                f"The cosignature cannot be taken: {error}",
                "Send the signature lines that the witness answered, over this checkpoint.",
            ) from error
        if not made:
            raise InvalidInputError(
                "cosignature-unknown",
                "No signature is of a witness that is registered for this log.",
                "Register the witness's key first.",
            )
        now = self._clock()
        if any(at > now + _TOLERANCE for at in times):
            raise InvalidInputError(
                "cosignature-ahead",
                "The time of the cosignature lies more than five minutes ahead.",
                "Set the witness's clock and cosign again.",
            )
        # One row a witness: a transaction cannot hold the same row twice.
        lines = {cosignature_row(size, one.key_id.hex()): one.line for one in made}
        rows = [Row(key(tenant), name, {"line": line}) for name, line in lines.items()]
        await self._tables.commit(TABLE, [Upsert(row) for row in rows])
        return await self._checkpoints.witnessed(tenant, published)

    async def _commit(
        self, tenant: str, operation: Operation, action: str, witness: str, caller: Caller
    ) -> bool:
        """Commit the change and the entry. Returns False after the same change by another."""
        now = self._clock()
        entry = AccessRecorded(
            tenant=tenant,
            actor=caller.actor(),
            action=action,
            resource=f"log/witnesses/{witness}",
            outcome="allowed",
        )
        message = new_entry(entry, new_id(now), now)
        try:
            await self._outbox.commit(TABLE, key(tenant), [operation], [message])
        except RowConflictError:
            await self._outbox.flush(TABLE, key(tenant))
            return False
        return True


def _key_invalid() -> InvalidInputError:
    return InvalidInputError(
        "witness-key-invalid",
        "This is not the public key of a witness.",
        "Give its vkey, name+id+base64, of the type for Ed25519 cosignatures (0x04).",
    )
