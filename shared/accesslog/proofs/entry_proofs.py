"""The proof that an entry is in a tenant's log, with everything for the verification."""

import base64
from dataclasses import dataclass
from typing import Any

from shared.accesslog.payloads import stated_leaf
from shared.accesslog.proofs.checkpoints import Checkpoints, Published
from shared.accesslog.proofs.tree_proofs import Proofs
from shared.accesslog.storage.store import LogStore
from shared.errors import NotFoundError
from shared.merkle import TlogProof


@dataclass(frozen=True, slots=True)
class EntryProof:
    """Entry `index` as stored, the leaf hash, and the proof that leads to the checkpoint."""

    index: int
    entry: bytes
    leaf: bytes
    proof: tuple[bytes, ...]
    checkpoint: Published

    def as_json(self) -> dict[str, Any]:
        """Return the proof as JSON, with hashes and the entry in base64."""
        return {
            "index": self.index,
            "size": self.checkpoint.size,
            "entry": _base64(self.entry),
            "leafHash": _base64(self.leaf),
            "proof": [_base64(one) for one in self.proof],
            "rootHash": self.checkpoint.root,
            "checkpoint": self.checkpoint.note,
        }

    def as_file(self) -> str:
        """Return a self-contained C2SP tlog-proof: the entry's bytes are the extra data."""
        return str(TlogProof(self.index, self.proof, self.checkpoint.note, self.entry))


class EntryProofs:
    """Proves entries of every tenant's log."""

    def __init__(self, store: LogStore, checkpoints: Checkpoints) -> None:
        self._store = store
        self._proofs = Proofs(store)
        self._checkpoints = checkpoints

    async def locate(self, tenant: str, source: str, identifier: str) -> int:
        """Return the index of an event's entry. Raises NotFoundError for an absent event."""
        index = await self._store.find(tenant, source, identifier)
        if index is None:
            raise _entry_not_found()
        return index

    async def entry(self, tenant: str, index: int) -> bytes:
        """Return the stored entry. Raises NotFoundError for an absent index."""
        async for _, payload in self._store.read(tenant, index, index + 1):
            return payload
        raise _entry_not_found()

    async def prove(self, tenant: str, index: int) -> EntryProof:
        """Prove an entry under a published checkpoint; a younger entry gets a new checkpoint.

        Raises NotFoundError for an absent index.
        """
        entry = await self.entry(tenant, index)
        covering = await self._checkpoints.covering(tenant, index + 1)
        checkpoint = await self._checkpoints.witnessed(tenant, covering)
        proof = await self._proofs.inclusion(tenant, index, checkpoint.size)
        leaf = stated_leaf(tenant, index, entry)
        return EntryProof(index, entry, leaf, tuple(proof), checkpoint)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _entry_not_found() -> NotFoundError:
    return NotFoundError(
        "log-entry-not-found",
        "The log has no such entry.",
        "Use the index of an entry, or its id with its source, as the log lists them.",
    )
