"""Publishing checkpoints: signed statements of a log's size and root that never contradict.

Each signed note is written to `evidence` before anybody sees it, and a log is held to the newest
there before anything more is signed: so no instance can publish a shorter or another log, whatever
becomes of the tables. Rows are the index of what was published, and are replaced under their ETag.
As they can be changed past the app, they count only as far as the log's keys have signed what they
say.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from shared.accesslog.proofs.continuity import hold
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
_MOST_TRIES: Final = 10


class Published(Stored, frozen=True):
    """A checkpoint that was published. `root` is in base64, `note` the signed note."""

    size: int
    root: str
    note: str
    published_at: datetime

    @property
    def root_hash(self) -> bytes:
        """The root as its 32 bytes."""
        return base64.b64decode(self.root)


@dataclass(frozen=True, slots=True)
class _Known:
    """The checkpoint published last, and its row."""

    published: Published
    row: Row

    @property
    def etag(self) -> str | None:
        """The ETag of the row."""
        return self.row.etag


class Checkpoints:
    """The checkpoints of every tenant's log. `prefix` is what the origins of all begin with."""

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
        """The origin of a tenant's log: where its tiles are served, without scheme."""
        return f"{self._prefix}/tenants/{tenant}/log"

    async def verifiers(self, tenant: str) -> list[VerifierKey]:
        """The public keys that verify all that was signed for a tenant's log."""
        return await self._keys.verifiers(self.origin(tenant))

    async def latest(self, tenant: str) -> Published:
        """What was published last; the first of a log is published now."""
        return await self.newest(tenant) or await self.publish(tenant)

    async def at(self, tenant: str, size: int) -> Published:
        """The checkpoint of `size` that was published. Raises NotFoundError if none was.

        Raises LogDamagedError where its row cannot be read any more.
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
        """The root of each size from `smallest` on of which a checkpoint was published.

        That of the newest, which is what `newest` gave, counts whatever rows there are. Of another
        that the log's keys have not signed it is zeros, which no log leads to.
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
        """The rows of what was published last, and of all from `smallest` on.

        Each with what it says, and whether the log's keys have signed that. The rows that were in
        the place of the last one and were replaced since are among them.
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
                    # The newest key may be younger than what was asked for before.
                    keys = await self.verifiers(tenant)
                    is_genuine = _is_genuine(published, origin, keys)
                yield row.row, published, is_genuine

    async def newest(self, tenant: str) -> Published | None:
        """What was published last by what `evidence` holds, whatever became of log and rows."""
        known, keys = await self._latest(tenant), await self.verifiers(tenant)
        kept = await self._evidence.newest(tenant, self.origin(tenant), keys)
        if kept is None:
            return None
        newest = _published(kept.checkpoint, kept.note, kept.since)
        if known and _is_genuine(known.published, self.origin(tenant), keys):
            row = known.published
            # During an overlap there are notes of the same with fewer signatures.
            if (row.size, row.root) == (newest.size, newest.root):
                return row
        return newest

    async def covering(self, tenant: str, size: int) -> Published:
        """What was published last, or a new one where that is of fewer than `size` entries."""
        latest = await self.latest(tenant)
        return latest if latest.size >= size else await self.publish(tenant)

    async def publish(self, tenant: str) -> Published:
        """Sign and publish the log as it is now. One that is published already stays as it is.

        Raises LogDamagedError when the log does not continue what was published last, or does not
        have the entries that its head states: nothing is signed then.
        """
        origin = self.origin(tenant)
        for _ in range(_MOST_TRIES):
            known, keys = await self._latest(tenant), await self.verifiers(tenant)
            # In this order: another instance may publish what is appended in between.
            newest = await self._evidence.newest(tenant, origin, keys)
            edge = await self._store.head(tenant)
            row = known.published if known else None
            if known and not _is_genuine(known.published, origin, keys):
                await self._set_aside(known.row)
                row = None
            old = newest.checkpoint if newest else Checkpoint(origin, 0, EMPTY_ROOT)
            await hold(self._store, tenant, old, edge, keys)
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
        """A published checkpoint with the cosignatures that witnesses have given it."""
        note = await cosigned(self._tables, tenant, published.size, published.note)
        return msgspec.structs.replace(published, note=note)

    async def has_grown(self, tenant: str) -> bool:
        """Whether the log is of another size than what was published last: longer, if all is well.

        So one that was put back to an earlier state, with what was published then, has too.
        """
        known = await self._latest(tenant)
        size = (await self._store.head(tenant)).size
        if size != (known.published.size if known else 0):
            return True
        return not await self._evidence.is_of(tenant, size)

    async def _set_aside(self, row: Row) -> None:
        """Keep a row that was changed past the app and is replaced now: the watch tells of it."""
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
    """Whether one of the log's `keys` has signed what is kept as published."""
    try:
        stated = Checkpoint(origin, published.size, published.root_hash)
        return open_checkpoint(published.note, keys) == stated
    except ValueError:
        return False


def _is_signed(published: Published, signers: Sequence[SigningKey]) -> bool:
    """Whether all of `signers` have signed it; others, that sign no more, may have too."""
    signed = {one.key_id for one in Note.parse(published.note).signatures}
    return signed >= {signer.verifier.key_id for signer in signers}


def _read(row: Row) -> Published:
    """What a row says was published.

    A row that is not what the app wrote there says nothing: an empty note, which no key has signed.
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
