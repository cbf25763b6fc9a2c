"""Idempotency keys: the same key always leads to the same id."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from shared.catalogue import IDEMPOTENCY_TABLE
from shared.errors import InvalidInputError, RowConflictError
from shared.ports import Insert, Row, Tables

_TABLE = IDEMPOTENCY_TABLE.name


@dataclass(frozen=True, slots=True)
class Reserved:
    """An id; `is_repeated` marks the id of an earlier request with the same key."""

    id: str
    is_repeated: bool


class IdempotencyKeys:
    """Keeps the id that each caller's Idempotency-Key got.

    The id is reserved before the creation, and a creation by id is idempotent, so that a crash in
    between costs nothing.
    """

    def __init__(self, tables: Tables, new_id: Callable[[], str]) -> None:
        self._tables = tables
        self._new_id = new_id

    async def reserve(self, scope: str, caller: str, given: str, fingerprint: str) -> Reserved:
        """Return the id for `given` within `scope` and `caller`.

        `fingerprint` is of the request; raises InvalidInputError when the key came with another.
        """
        digest = hashlib.sha256("\n".join((scope, caller, given)).encode()).hexdigest()
        partition, row = digest[:2], digest
        values = {"id": self._new_id(), "fingerprint": fingerprint}
        try:
            await self._tables.commit(_TABLE, [Insert(Row(partition, row, values))])
            return Reserved(values["id"], is_repeated=False)
        except RowConflictError:
            kept = await self._tables.get(_TABLE, partition, row)
        if kept is None or kept.values["fingerprint"] != fingerprint:
            raise key_reused()
        return Reserved(str(kept.values["id"]), is_repeated=True)


def key_reused() -> InvalidInputError:
    """Make the refusal of a key that came with another request."""
    return InvalidInputError(
        "idempotency-key-reused",
        "The Idempotency-Key was used before, with another body.",
        "Use a new key for a new request.",
    )
