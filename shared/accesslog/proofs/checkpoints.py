"""The publication of checkpoints: consistent signed statements of a log's size and root.

The app writes each signed note to `evidence` before the note is served. Before a further signature,
the log must continue the newest note in `evidence`. No instance can therefore publish a shorter or
different log, even after a change to the tables. The rows are the index of the published
checkpoints, and are replaced under an ETag. Rows can be changed past the app: a row counts only as
far as the log's keys have signed the content.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from shared.accesslog.proofs.continuity import require_continuity
from shared.accesslog.proofs.cosignatures import cosigned
from shared.accesslog.proofs.evidence import Evidence
from shared.accesslog.proofs.keys import LogKeys
from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.store import LogStore
from shared.catalogue import LOG_CHECKPOINTS_TABLE
from shared.errors import NotFoundError, RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_SIZE,
    Checkpoint,
    Note,
    SigningKey,
    VerifierKey,
    open_checkpoint,
)
from shared.ports import Blobs, Clock, Insert, Replace, Row, Tables, Upsert
from shared.rows import Stored, readable, to_values

TABLE: Final = LOG_CHECKPOINTS_TABLE.name
_LATEST = "latest"
_SET_ASIDE = "set-aside"
_MAX_TRIES: Final = 10


class Published(Stored, frozen=True):
    """A published checkpoint. `root` is in base64, `note` the signed note."""

    size: int
    root: str
    note: str
    published_at: datetime

    @property
    def root_hash(self) -> bytes:
        """The root as 32 bytes."""
        return base64.b64decode(self.root)


@dataclass(frozen=True, slots=True)
class _Known:
    """The checkpoint published last, and the checkpoint's row."""

    published: Published
    row: Row

    @property
    def etag(self) -> str | None:
        """The ETag of the row."""
        return self.row.etag


class Checkpoints:
    """The checkpoints of every tenant's log. Every origin begins with `prefix`."""

    def __init__(
        self,
        store: LogStore,
        keys: LogKeys,
        tables: Tables,
        blobs: Blobs,
        clock: Clock,
        prefix: str,
    ) -> None:
        self._store = store
        self._keys = keys
        self._tables = tables
        self._evidence = Evidence(blobs)
        self._clock = clock
        self._prefix = prefix

    def origin(self, tenant: str) -> str:
        """Return the origin of a tenant's log: the address of the log's tiles, without scheme."""
        return f"{self._prefix}/tenants/{tenant}/log"

    async def verifiers(self, tenant: str) -> list[VerifierKey]:
        """Return the public keys that verify every signature for a tenant's log."""
        return await self._keys.verifiers(self.origin(tenant))

    async def latest(self, tenant: str) -> Published:
        """Return the checkpoint published last, or publish the first checkpoint of the log."""
        return await self.newest(tenant) or await self.publish(tenant)

    async def at(self, tenant: str, size: int) -> Published:
        """Return the published checkpoint of `size`. Raises NotFoundError for an unpublished size.

        Raises LogDamagedError for an unreadable row.
        """
        row = await self._tables.get(TABLE, key(tenant), _row_at(size))
        if row is None:
            raise NotFoundError(
                "checkpoint-not-found",
                "No checkpoint of this size was published.",
                "Take the size of a checkpoint that the log gave out.",
            )
        published = _read(row)
        if not published.note:
            raise LogDamagedError(size)
        return published

    async def roots(
        self, tenant: str, smallest: int, newest: Published | None
    ) -> Mapping[int, bytes]:
        """Return the root of each published size from `smallest` on.

        `newest` is the result of `newest`: its root counts, whatever the rows state. For any
        further checkpoint without a signature by the log's keys, the root is zeros, the root of no
        log.
        """
        keys, origin = await self.verifiers(tenant), self.origin(tenant)
        first, last = _row_at(smallest), _row_at(MAX_SIZE)
        rows = self._tables.between(TABLE, key(tenant), first, last)
        found = [_read(row) async for row in rows]
        roots = {
            one.size: one.root_hash if _is_genuine(one, origin, keys) else bytes(HASH_SIZE)
            for one in found
        }
        if newest and newest.size >= smallest:
            roots[newest.size] = newest.root_hash
        return roots

    async def kept(self, tenant: str, smallest: int) -> AsyncIterator[tuple[str, Published, bool]]:
        """Yield the rows of the checkpoint published last, and of every size from `smallest` on.

        Each row comes with the stated checkpoint, and with whether the log's keys have signed the
        statement. Changed rows of the last checkpoint, since replaced, are included.
        """
        keys, origin, partition = await self.verifiers(tenant), self.origin(tenant), key(tenant)
        names = [
            (_LATEST, _LATEST),
            (_row_at(smallest), _row_at(MAX_SIZE)),
            (f"{_SET_ASIDE}|", f"{_SET_ASIDE}}}"),
        ]
        for first, last in names:
            async for row in self._tables.between(TABLE, partition, first, last):
                published = _read(row)
                is_genuine = _is_genuine(published, origin, keys)
                if not is_genuine:
                    # The newest key may be younger than the list of keys.
                    keys = await self.verifiers(tenant)
                    is_genuine = _is_genuine(published, origin, keys)
                yield row.row, published, is_genuine

    async def newest(self, tenant: str) -> Published | None:
        """Return the newest checkpoint in `evidence`, whatever the state of log and rows."""
        known, keys = await self._latest(tenant), await self.verifiers(tenant)
        kept = await self._evidence.newest(tenant, self.origin(tenant), keys)
        if kept is None:
            return None
        newest = _published(kept.checkpoint, kept.note, kept.since)
        if known and _is_genuine(known.published, self.origin(tenant), keys):
            row = known.published
            # During an overlap `evidence` also has notes of the same checkpoint with fewer
            # signatures.
            if (row.size, row.root) == (newest.size, newest.root):
                return row
        return newest

    async def covering(self, tenant: str, size: int) -> Published:
        """Return the last published checkpoint, or publish one of at least `size` entries."""
        latest = await self.latest(tenant)
        return latest if latest.size >= size else await self.publish(tenant)

    async def publish(self, tenant: str) -> Published:
        """Sign and publish the log in the present state; an already published state stays the same.

        Raises LogDamagedError for a log that does not continue the checkpoint published last, or
        that lacks entries below the head: nothing is signed then.
        """
        origin = self.origin(tenant)
        for _ in range(_MAX_TRIES):
            known, keys = await self._latest(tenant), await self.verifiers(tenant)
            # The order matters: another instance may publish entries appended in between.
            newest = await self._evidence.newest(tenant, origin, keys)
            edge = await self._store.head(tenant)
            row = known.published if known else None
            if known and not _is_genuine(known.published, origin, keys):
                await self._set_aside(known.row)
                row = None
            old = newest.checkpoint if newest else Checkpoint(origin, 0, EMPTY_ROOT)
            await require_continuity(self._store, tenant, old, edge, keys)
            stated = Checkpoint(origin, edge.size, edge.root())
            signers = await self._keys.signers(origin)
            is_known = row is not None and (row.size, row.root_hash) == (edge.size, stated.root)
            if row and newest and is_known and old == stated and _is_signed(row, signers):
                return row
            note = stated.sign(signers)
            await self._evidence.keep(tenant, stated.size, note)
            made = _published(stated, note, self._clock())
            try:
                await self._commit(tenant, made, known.etag if known else None)
            except RowConflictError:
                continue
            return made
        raise UnavailableError("storage")

    async def witnessed(self, tenant: str, published: Published) -> Published:
        """Return a published checkpoint with the witnesses' cosignatures."""
        note = await cosigned(self._tables, tenant, published.size, published.note)
        return msgspec.structs.replace(published, note=note)

    async def has_grown(self, tenant: str) -> bool:
        """Tell whether the log's size differs from the last published size; intact logs only grow.

        A log restored to an earlier state, together with the checkpoint's row, also counts as
        grown.
        """
        known = await self._latest(tenant)
        size = (await self._store.head(tenant)).size
        if size != (known.published.size if known else 0):
            return True
        return not await self._evidence.is_of(tenant, size)

    async def _set_aside(self, row: Row) -> None:
        """Keep a row that was changed past the app and is about to be replaced, for the watch."""
        said = sorted((name, str(value)) for name, value in row.values.items())
        digest = hashlib.sha256(repr(said).encode()).hexdigest()[:32]
        kept = Row(row.partition, key(_SET_ASIDE, digest), row.values)
        await self._tables.commit(TABLE, [Upsert(kept)])

    async def _commit(self, tenant: str, made: Published, etag: str | None) -> None:
        values, partition = to_values(made), key(tenant)
        latest = Row(partition, _LATEST, values, etag)
        await self._tables.commit(
            TABLE,
            [
                Insert(latest) if etag is None else Replace(latest),
                Upsert(Row(partition, _row_at(made.size), values)),
            ],
        )

    async def _latest(self, tenant: str) -> _Known | None:
        row = await self._tables.get(TABLE, key(tenant), _LATEST)
        return None if row is None else _Known(_read(row), row)


def _published(checkpoint: Checkpoint, note: str, at: datetime) -> Published:
    root = base64.b64encode(checkpoint.root).decode()
    return Published(size=checkpoint.size, root=root, note=note, published_at=at)


def _is_genuine(published: Published, origin: str, keys: Sequence[VerifierKey]) -> bool:
    """Tell whether one of the log's `keys` has signed the stored checkpoint."""
    try:
        stated = Checkpoint(origin, published.size, published.root_hash)
        return open_checkpoint(published.note, keys) == stated
    except ValueError:
        return False


def _is_signed(published: Published, signers: Sequence[SigningKey]) -> bool:
    """Tell whether every one of `signers` has signed; retired keys may have signed too."""
    signed = {one.key_id for one in Note.parse(published.note).signatures}
    return signed >= {signer.verifier.key_id for signer in signers}


def _read(row: Row) -> Published:
    """Read the published checkpoint in a row.

    A row changed past the app gives an empty note, signed by no key.
    """
    published = readable(Published, row.values)
    if published is not None and row.row in {_LATEST, _row_at(published.size)}:
        return published
    try:
        size = int(row.row.removeprefix("at|"), 16)
    except ValueError:
        size = 0
    return Published(size=size, root="", note="", published_at=datetime.fromtimestamp(0, UTC))


def _row_at(size: int) -> str:
    return key("at", f"{size:016x}")
