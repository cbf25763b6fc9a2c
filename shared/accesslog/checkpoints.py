"""Publishing checkpoints: signed statements of a log's size and root that never contradict.

What was published last is kept in a row that is replaced under its ETag, after the signed note
was written to `evidence`: so every checkpoint that anybody has seen is there, and no instance can
publish a shorter or another log after it. Rows can be changed past the app: they count only as far
as the log's keys have signed what they say, and where they are gone, `evidence` says it.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from shared.accesslog.cosignatures import TABLE, cosigned
from shared.accesslog.damage import LogDamagedError
from shared.accesslog.evidence import Evidence
from shared.accesslog.keys import LogKeys
from shared.accesslog.proving import Proofs
from shared.accesslog.store import LogStore
from shared.errors import NotFoundError, RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_SIZE,
    Checkpoint,
    Note,
    ProofError,
    SigningKey,
    VerifierKey,
    open_checkpoint,
    verify_consistency,
)
from shared.ports import Blobs, Clock, Insert, Replace, Row, Tables, Upsert
from shared.rows import Stored, readable, to_values

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
        self._proofs = Proofs(store)
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

    async def roots(self, tenant: str, smallest: int) -> Mapping[int, bytes]:
        """The root of each size from `smallest` on of which a checkpoint was published.

        Of one that the log's keys have not signed it is zeros, which no log leads to.
        """
        if await self._latest(tenant) is None:
            keys = await self.verifiers(tenant)
            evidence = [one.checkpoint async for one in self._evidence.all(tenant, keys)]
            return {one.size: one.root for one in evidence if one.size >= smallest}
        keys, origin = await self.verifiers(tenant), self.origin(tenant)
        first, last = _row_at(smallest), _row_at(MAX_SIZE)
        rows = self._tables.between(TABLE, key(tenant), first, last)
        found = [_read(row) async for row in rows]
        return {
            one.size: one.root_hash if _is_genuine(one, origin, keys) else bytes(HASH_SIZE)
            for one in found
        }

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
        """What was published last and is signed by the log's keys, whatever became of the log."""
        known, keys = await self._latest(tenant), await self.verifiers(tenant)
        if known and _is_genuine(known.published, self.origin(tenant), keys):
            return known.published
        kept = await self._evidence.newest(tenant, keys)
        if kept is None:
            return None
        return Published(
            size=kept.checkpoint.size,
            root=base64.b64encode(kept.checkpoint.root).decode(),
            note=kept.note,
            published_at=kept.since,
        )

    async def covering(self, tenant: str, size: int) -> Published:
        """What was published last, or a new one where that is of fewer than `size` entries."""
        latest = await self.latest(tenant)
        return latest if latest.size >= size else await self.publish(tenant)

    async def publish(self, tenant: str) -> Published:
        """Sign and publish the log as it is now. One that is published already stays as it is.

        Raises LogDamagedError when the log does not continue what was published last: nothing is
        signed then.
        """
        for _ in range(_MOST_TRIES):
            known, keys = await self._latest(tenant), await self.verifiers(tenant)
            edge = await self._store.head(tenant)
            size, root = edge.size, edge.root()
            old = known.published if known else None
            if known and not _is_genuine(known.published, self.origin(tenant), keys):
                await self._set_aside(known.row)
                old = None
            if old is None:
                async for older in self._evidence.all(tenant, keys):
                    await self._hold(tenant, older.checkpoint, size, root)
            else:
                stated = Checkpoint(self.origin(tenant), old.size, old.root_hash)
                await self._hold(tenant, stated, size, root)
            signers = await self._keys.signers(self.origin(tenant))
            if old is not None and old.size == size and _is_signed(old, signers):
                return old
            note = Checkpoint(self.origin(tenant), size, root).sign(signers)
            made = Published(
                size=size,
                root=base64.b64encode(root).decode(),
                note=note,
                published_at=self._clock(),
            )
            await self._evidence.keep(tenant, size, note)
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
        """Whether the log has entries that no published checkpoint covers."""
        known = await self._latest(tenant)
        head = await self._store.head(tenant)
        return head.size != (known.published.size if known else 0)

    async def _set_aside(self, row: Row) -> None:
        """Keep a row that was changed past the app and is replaced now: the watch tells of it."""
        said = sorted((name, str(value)) for name, value in row.values.items())
        digest = hashlib.sha256(repr(said).encode()).hexdigest()[:32]
        kept = Row(row.partition, key(_SET_ASIDE, digest), row.values)
        await self._tables.commit(TABLE, [Upsert(kept)])

    async def _hold(self, tenant: str, old: Checkpoint, size: int, root: bytes) -> None:
        """Raise LogDamagedError unless the log of `size` and `root` continues `old`."""
        try:
            if size < old.size:
                raise ProofError("The log is shorter than it was.")
            proof = await self._proofs.consistency(tenant, old.size, size)
            old_root = old.root if old.size else EMPTY_ROOT
            verify_consistency(old.size, size, proof, old_root, root)
        except ProofError as error:
            raise LogDamagedError(min(size, old.size)) from error

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
