"""The assets of all tenants: their rows, their place in the subject index, and their erasure."""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from shared.accesslog import new_entry
from shared.assets.rules import EVERY, Asset, AssetFilter, Tombstone, after_prefix
from shared.catalogue import ASSETS_TABLE, SUBJECTS_TABLE
from shared.errors import NotFoundError, RowConflictError
from shared.ids import first_id, key, new_id
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded
from shared.messages.outbox_rows import Outgoing
from shared.ports import (
    Blobs,
    Clock,
    Condition,
    Insert,
    Operation,
    Replace,
    Row,
    Secrets,
    Tables,
    Upsert,
)
from shared.rows import from_values, to_values

ASSETS = ASSETS_TABLE.name
SUBJECTS = SUBJECTS_TABLE.name
SUBJECT_SECRET = "subject-index-hmac"  # noqa: S105 - the name of the secret, not the secret

_CONCURRENT_WRITES = 16


class Assets:
    """Keeps assets, finds them, and erases them."""

    def __init__(
        self, tables: Tables, blobs: Blobs, secrets: Secrets, outbox: Outbox, clock: Clock
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._secrets = secrets
        self._outbox = outbox
        self._clock = clock

    async def is_known(self, partition: str, asset: str) -> bool:
        """Whether the asset was added to `partition`, though it may have been erased since."""
        return await self._tables.get(ASSETS, partition, asset_row(asset)) is not None

    async def add(self, partition: str, asset: Asset, outgoing: Sequence[Outgoing]) -> bool:
        """Keep an asset with what reports it; adding it again changes nothing.

        The index rows go first, so that no asset is known that could not be found. Returns whether
        it was kept as it is given here: False when it was known already.
        """
        await self._index(asset)
        while True:
            operations = await self._insert(partition, asset)
            try:
                await self._outbox.commit(ASSETS, partition, operations, outgoing)
            except RowConflictError:
                if await self.is_known(partition, asset.id):
                    break
                # Another upload to the same path took the version's number: take the next.
            else:
                return True
        # Another delivery of the same message was faster, or the asset is erased by now.
        filed = await self._filed(partition, asset.id)
        for subject in sorted(asset.subjects - (filed.subjects if filed else frozenset())):
            await self._unindex(asset.tenant, subject, asset.id)
        await self.flush(partition)
        return False

    async def _insert(self, partition: str, asset: Asset) -> list[Operation]:
        """What keeps the asset; of a cleared one, as the next version of its path."""
        if asset.verdict != "clean":
            return [Insert(Row(partition, asset_row(asset.id), to_values(asset)))]
        latest = await self._tables.get(ASSETS, partition, _version_row(asset.path))
        version = 1 if latest is None else int(latest.values["latest"]) + 1
        numbered = msgspec.structs.replace(asset, version=version)
        counted = Row(
            partition,
            _version_row(asset.path),
            {"latest": version},
            None if latest is None else latest.etag,
        )
        return [
            Insert(Row(partition, asset_row(asset.id), to_values(numbered))),
            Insert(counted) if latest is None else Replace(counted),
        ]

    async def tidy(
        self,
        partition: str,
        asset: str,
        places: Iterable[tuple[str, str]],
        filed: Asset | None = None,
    ) -> None:
        """Delete the copies of a known asset in `places` that its row does not name.

        Deliveries that crashed, or that were overtaken, leave such. A place is a container and a
        name in it. Nothing is left of an asset that was erased. `filed` is the asset, where this
        delivery has just added it, so that its row need not be read: whoever erases it meanwhile
        removes the copy that the row names.
        """
        filed = filed or await self._filed(partition, asset)
        for container, name in places:
            if filed is None or (filed.container, filed.blob) != (container, name):
                await self._delete_copy(container, name, asset)

    async def flush(self, partition: str) -> None:
        """Send what a crash left unsent in the partition."""
        await self._outbox.flush(ASSETS, partition)

    async def find(self, tenant: str, asset: str) -> Asset:
        """An asset of a tenant. Raises NotFoundError if there is none, or it was erased."""
        row = await self._tables.get(ASSETS, key(tenant), asset_row(asset))
        if row is None or row.values.get("erasedAt"):
            raise NotFoundError(
                "asset-not-found",
                "There is no such asset.",
                "List the tenant's assets to see which there are.",
            )
        return from_values(Asset, row.values)

    async def page(
        self,
        tenant: str,
        *,
        size: int,
        continuation: str | None,
        chosen: AssetFilter = EVERY,
    ) -> tuple[Sequence[Asset], str | None]:
        """One page of a tenant's assets that were `chosen`, oldest first, and where to read on.

        Times cost nothing, as they are a range of RowKeys. For the rest the service looks through
        that range, for a few seconds a page at most: a page may come back short, or empty, and
        yet say where to read on.
        """
        page = await self._tables.page(
            ASSETS,
            key(tenant),
            size=size,
            continuation=continuation,
            between=_between(chosen),
            where=_where(chosen),
        )
        assets = [from_values(Asset, r.values) for r in page.rows if not r.values.get("erasedAt")]
        wanted = [asset for asset in assets if asset.path.startswith(chosen.prefix)]
        return wanted, page.continuation

    async def of_subject(
        self, tenant: str, subjects: Iterable[str]
    ) -> tuple[list[Asset], list[str]]:
        """The tenant's assets that stand in the index under any of `subjects`, by id.

        The second list are the ids of those that are indexed and have no row yet: uploads that
        are being taken in. Index rows that were left of an erased asset are removed.
        """
        found = [
            (row.row, subject)
            for subject in subjects
            async for row in self._tables.scan(SUBJECTS, subject_partition(tenant, subject))
        ]
        assets, unfiled = [], []
        for identifier in sorted({identifier for identifier, _ in found}):
            row = await self._tables.get(ASSETS, key(tenant), asset_row(identifier))
            if row is None:
                unfiled.append(identifier)
            elif not row.values.get("erasedAt"):
                assets.append(from_values(Asset, row.values))
            else:
                for subject in (subject for indexed, subject in found if indexed == identifier):
                    await self._unindex(tenant, subject, identifier)
        return assets, unfiled

    async def erase(self, tenant: str, asset: str, request: str, entry: AccessRecorded) -> None:
        """Erase an asset's bytes, its index rows and its row, and leave a tombstone.

        The row goes last, as it says where the rest is. `request` is the erasure request, `entry`
        what the tenant's log is told. An asset that is not there yet is given its tombstone now:
        the intake that was about to file it then removes what it wrote. One that was erased is
        left as it is. Raises RowConflictError when it is filed in the meantime.
        """
        partition = key(tenant)
        row = await self._tables.get(ASSETS, partition, asset_row(asset))
        if row is not None and row.values.get("erasedAt"):
            await self.flush(partition)
            return
        kept = None if row is None else from_values(Asset, row.values)
        # First, as it is refused where the log would not take the entry.
        now = self._clock()
        reported = new_entry(entry, new_id(now), now)
        if kept is not None:
            await self._remove(kept)
        tombstone = Tombstone(id=asset, tenant=tenant, erased_at=now, erasure_request=request)
        left = Row(partition, asset_row(asset), to_values(tombstone), row.etag if row else None)
        operation = Insert(left) if row is None else Replace(left)
        await self._outbox.commit(ASSETS, partition, [operation], [reported])
        # A late delivery of the upload may have put them back before there was a tombstone.
        if kept is not None:
            await self._remove(kept)

    async def subject_secret(self) -> bytes:
        """The HMAC key of the subject index."""
        return base64.b64decode((await self._secrets.get(SUBJECT_SECRET)).value)

    async def _filed(self, partition: str, asset: str) -> Asset | None:
        row = await self._tables.get(ASSETS, partition, asset_row(asset))
        if row is None or row.values.get("erasedAt"):
            return None
        return from_values(Asset, row.values)

    async def _remove(self, asset: Asset) -> None:
        await self._delete_copy(asset.container, asset.blob, asset.id)
        for subject in sorted(asset.subjects):
            await self._unindex(asset.tenant, subject, asset.id)

    async def _delete_copy(self, container: str, name: str, asset: str) -> None:
        blob = await self._blobs.head(container, name)
        # The name may have been given to another upload since.
        if blob is not None and blob.metadata.get("asset") == asset:
            await self._blobs.delete(container, name, blob.etag)

    async def _unindex(self, tenant: str, subject: str, asset: str) -> None:
        await self._tables.delete(SUBJECTS, subject_partition(tenant, subject), asset)

    async def _index(self, asset: Asset) -> None:
        limit = asyncio.Semaphore(_CONCURRENT_WRITES)

        async def write(subject: str) -> None:
            fields = msgspec.json.encode(asset.fields_of(subject)).decode()
            row = Row(subject_partition(asset.tenant, subject), asset.id, {"fields": fields})
            async with limit:
                await self._tables.commit(SUBJECTS, [Upsert(row)])

        await asyncio.gather(*(write(subject) for subject in asset.subjects))


def _between(chosen: AssetFilter) -> tuple[str, str]:
    first, last = asset_row(""), asset_row("~")
    if chosen.uploaded_from is not None:
        first = asset_row(first_id(chosen.uploaded_from))
    if chosen.uploaded_before is not None:
        last = asset_row(first_id(chosen.uploaded_before))
    return first, last


def _where(chosen: AssetFilter) -> list[Condition]:
    conditions = []
    if chosen.verdict is not None:
        conditions.append(Condition("verdict", "eq", chosen.verdict))
    if chosen.prefix:
        conditions.append(Condition("path", "ge", chosen.prefix))
    after = after_prefix(chosen.prefix)
    if after is not None:
        conditions.append(Condition("path", "lt", after))
    return conditions


def _version_row(path: str) -> str:
    """The RowKey of the count of a path's versions, which fits any path and does not tell it."""
    return key("version", hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest())


def asset_row(identifier: str) -> str:
    """The RowKey of an asset in its tenant's partition of `assets`."""
    return key("asset", identifier)


def subject_partition(tenant: str, subject: str) -> str:
    """The PartitionKey in `subjects` of one identifier, given by its HMAC."""
    return key(tenant, subject)
