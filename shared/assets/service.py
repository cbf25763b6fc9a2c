"""The assets of every tenant: rows, sealed records, companions, and erasure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from shared.accesslog import new_entry
from shared.assets.rules import (
    ANY_NOTE,
    EVERY,
    NO_RECORD,
    Asset,
    AssetFilter,
    Tombstone,
    after_prefix,
)
from shared.assets.scan_index import ScanIndex, indexing, time_text
from shared.blob_names import canonical_path, incoming_name
from shared.catalogue import ASSETS_TABLE, INCOMING_CONTAINER, METADATA_CONTAINER, UPLOADS_TABLE
from shared.compare_and_set import compare_and_set
from shared.errors import NotFoundError, RowConflictError
from shared.ids import first_id, key, new_id
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded
from shared.messages.outbox_rows import Outgoing
from shared.ports import (
    BlobInfo,
    Blobs,
    Clock,
    Condition,
    Delete,
    Insert,
    Operation,
    Replace,
    Row,
    Tables,
    Value,
)
from shared.rows import from_values, to_values

ASSETS = ASSETS_TABLE.name
METADATA = METADATA_CONTAINER.name

# The longest time between the permission of an upload and the blob, with an hour to spare; and the
# most by which storage's clock may be behind.
_LONGEST_UPLOAD = timedelta(hours=49)
_CLOCK_SKEW = timedelta(hours=1)

# Twice in a URL, twelve characters each at most.
_PREFIX_IN_QUERY = 200


class Assets:
    """Keeps assets, finds assets, and erases assets."""

    def __init__(self, tables: Tables, blobs: Blobs, outbox: Outbox, clock: Clock) -> None:
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._clock = clock
        self._index = ScanIndex(tables)

    async def look_up(self, partition: str, asset: str) -> Asset | Tombstone | None:
        """Return the asset that was added to `partition`, or what is left of an erased asset."""
        row = await self._tables.get(ASSETS, partition, asset_row(asset))
        if row is None:
            return None
        if row.values.get("erasedAt"):
            return from_values(Tombstone, row.values)
        return from_values(Asset, row.values)

    async def add(
        self,
        partition: str,
        asset: Asset,
        outgoing: Sequence[Outgoing],
        record: Mapping[str, Value] | None = None,
    ) -> bool:
        """Keep an asset with the messages that report the asset; a repeated call changes nothing.

        `record` has the columns of the asset's sealed record, which is kept in the same
        transaction, so that every known asset can be found. Returns whether the asset was kept in
        the given form: False for an already known asset.
        """
        # A copy under the path itself: as a rule, the path's first version.
        is_new_path = asset.blob == asset.canonical_path
        while True:
            latest = None if is_new_path else await self._latest(partition, asset)
            operations = self._insert(partition, asset, latest)
            if record is not None:
                operations.append(Insert(Row(partition, record_row(asset.id), record)))
            if asset.companions is not None:
                operations.append(Insert(Row(partition, _companion_row(asset), {})))
            try:
                await self._outbox.commit(ASSETS, partition, operations, outgoing)
            except RowConflictError:
                if await self.look_up(partition, asset.id) is not None:
                    break
                # Another upload to the same path took the version number: take the next number.
                is_new_path = False
            else:
                return True
        # Another delivery of the same message was faster, or the asset is already erased.
        await self.flush(partition)
        return False

    async def _latest(self, partition: str, asset: Asset) -> Row | None:
        """Return the row that counts the versions of a path; None for a path without versions."""
        if asset.verdict != "clean":
            return None
        return await self._tables.get(ASSETS, partition, _version_row(asset.canonical_path))

    def _insert(self, partition: str, asset: Asset, latest: Row | None) -> list[Operation]:
        """Return the operations that keep the asset; a cleared asset is the path's next version."""
        if asset.verdict != "clean":
            return [Insert(Row(partition, asset_row(asset.id), to_values(asset)))]
        index = indexing(partition, None, asset)
        version = 1 if latest is None else int(latest.values["latest"]) + 1
        numbered = msgspec.structs.replace(asset, version=version)
        counted = Row(
            partition,
            _version_row(asset.canonical_path),
            {"latest": version},
            None if latest is None else latest.etag,
        )
        return [
            Insert(Row(partition, asset_row(asset.id), to_values(numbered))),
            Insert(counted) if latest is None else Replace(counted),
            *index,
        ]

    async def tidy(self, partition: str, asset: str, places: Iterable[tuple[str, str]]) -> None:
        """Delete the copies of a known asset in `places` that the asset's row does not name.

        A delivery that crashed, or was overtaken, leaves copies. A place is a container and a name
        in the container. No copy of an erased asset stays.
        """
        filed = await self._filed(partition, asset)
        for container, name in places:
            if filed is None or (filed.container, filed.blob) != (container, name):
                await self._delete_copy(container, name, asset)

    async def flush(self, partition: str) -> None:
        """Send the messages that a crash left unsent in the partition."""
        await self._outbox.flush(ASSETS, partition)

    async def companions_of(self, tenant: str, companions: str) -> list[Asset]:
        """Return the assets of a tenant that may be companions of an asset with `companions`.

        These are the assets of one name. Where one of the names is cut, these are the assets of
        every name with the same beginning.
        """
        beginning, _, name = companions.partition(".")
        cut = await self._near(tenant, key("companion", f"{beginning}.", ""))
        if name and not cut:
            return await self._near(tenant, key("companion", companions, ""))
        return await self._near(tenant, key("companion", f"{beginning}."))

    async def _near(self, tenant: str, prefix: str) -> list[Asset]:
        rows = self._tables.scan(ASSETS, key(tenant), prefix=prefix)
        found = [await self._filed(key(tenant), row.row.rpartition("|")[2]) async for row in rows]
        return [one for one in found if one is not None]

    async def find(self, tenant: str, asset: str) -> Asset:
        """Return an asset of a tenant. Raises NotFoundError for an absent or erased asset."""
        row = await self._tables.get(ASSETS, key(tenant), asset_row(asset))
        if row is None or row.values.get("erasedAt"):
            raise NotFoundError(
                "asset-not-found",
                "There is no such asset.",
                "List the tenant's assets to see which there are.",
            )
        return from_values(Asset, row.values)

    async def bytes_of(self, asset: Asset) -> BlobInfo:
        """Return the blob with the bytes of an asset. Raises NotFoundError for bytes that are gone.

        After an unfinished erasure of the asset, the blob's name may belong to a newer asset.
        """
        if asset.container is not None and asset.blob is not None:
            blob = await self._blobs.head(asset.container, asset.blob)
            if blob is not None and blob.metadata.get("asset") == asset.id:
                return blob
        raise bytes_gone()

    async def page(
        self,
        tenant: str,
        *,
        size: int,
        continuation: str | None,
        chosen: AssetFilter = EVERY,
    ) -> tuple[Sequence[Asset], str | None]:
        """Return a page of a tenant's `chosen` assets, oldest first, and the place to read on.

        Conditions on time narrow the range of RowKeys. For the conditions the service searches the
        range, for a few seconds a page at most. A page may therefore be short, or
        empty, and still have a next page.
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
        prefix = canonical_path(chosen.prefix)
        if chosen.metadata_note == NO_RECORD:
            assets = [asset for asset in assets if asset.metadata_reader is None]
        wanted = [asset for asset in assets if asset.canonical_path.startswith(prefix)]
        return wanted, page.continuation

    async def erase(self, tenant: str, asset: str, request: str, entry: AccessRecorded) -> None:
        """Erase an asset's bytes, record and row, and leave a tombstone.

        The row goes last, because the row names the places of the rest. `request` is the erasure
        request, `entry` the record for the tenant's log. An asset not yet filed gets a tombstone at
        once: the intake then removes the asset's copies. An erased asset stays unchanged. Starts
        anew when the asset is filed or scanned in the meantime.
        """
        await compare_and_set(lambda: self._erase(tenant, asset, request, entry))

    async def _erase(self, tenant: str, asset: str, request: str, entry: AccessRecorded) -> None:
        """Erase an asset. Raises RowConflictError when the row changes in the meantime."""
        partition = key(tenant)
        row = await self._tables.get(ASSETS, partition, asset_row(asset))
        if row is not None and row.values.get("erasedAt"):
            await self.flush(partition)
            return
        kept = None if row is None else from_values(Asset, row.values)
        # First, because the log may refuse the entry.
        now = self._clock()
        reported = new_entry(entry, new_id(now), now)
        if kept is not None:
            await self._remove(kept)
        tombstone = Tombstone(id=asset, tenant=tenant, erased_at=now, erasure_request=request)
        left = Row(partition, asset_row(asset), to_values(tombstone), row.etag if row else None)
        operations: list[Operation] = [Insert(left) if row is None else Replace(left)]
        if kept is not None:
            if await self._index.has(tenant, kept):
                operations += indexing(partition, kept, None)
            if kept.companions is not None:
                operations.append(Delete(partition, _companion_row(kept)))
            if kept.metadata_reader is not None:
                operations.append(Delete(partition, record_row(asset)))
        await self._outbox.commit(ASSETS, partition, operations, [reported])
        # A late delivery of the upload may have restored the copies before the tombstone existed.
        if kept is not None:
            await self._remove(kept)

    async def _filed(self, partition: str, asset: str) -> Asset | None:
        row = await self._tables.get(ASSETS, partition, asset_row(asset))
        if row is None or row.values.get("erasedAt"):
            return None
        return from_values(Asset, row.values)

    async def _remove(self, asset: Asset) -> None:
        if asset.container is not None and asset.blob is not None:
            await self._delete_copy(asset.container, asset.blob, asset.id)
        if asset.verdict == "infected":
            moving = await self._tables.get(ASSETS, key(asset.tenant), moving_row(asset.id))
            if moving is not None:
                # The bytes are on the way to quarantine.
                container, name = str(moving.values["container"]), str(moving.values["blob"])
                await self._delete_copy(container, name, asset.id)
        if asset.metadata_reader is not None:
            # The blobs of a delivery that another overtook, or of an older reading, go as well.
            async for blob in self._blobs.scan(METADATA, record_blob(asset.tenant, asset.id, "")):
                await self._blobs.delete(METADATA, blob.name)
        if asset.upload is not None:
            await self._forget_upload(asset.tenant, asset.upload)

    async def _forget_upload(self, tenant: str, upload: str) -> None:
        """Delete the record of a filed upload, which has the path.

        A request that was sent again may have written the record anew. While the upload's blob is
        in `incoming`, intake needs the record to find the copies, and deletes the record last.
        """
        name = incoming_name(tenant, upload)
        if await self._blobs.head(INCOMING_CONTAINER.name, name) is None:
            await self._tables.delete(UPLOADS_TABLE.name, key(tenant), key(upload))

    async def _delete_copy(self, container: str, name: str, asset: str) -> None:
        blob = await self._blobs.head(container, name)
        # The name may belong to another upload by now.
        if blob is not None and blob.metadata.get("asset") == asset:
            await self._blobs.delete(container, name, blob.etag)


def bytes_gone() -> NotFoundError:
    """Make the answer for an asset whose bytes are gone."""
    return NotFoundError(
        "asset-not-found",
        "The asset has been erased or replaced in the meantime.",
        "List the tenant's assets to see which there are.",
    )


def _between(chosen: AssetFilter) -> tuple[str, str]:
    """Return the RowKeys between which the assets lie.

    The time in an id is the time of the upload's permission, before the upload.
    """
    first, last = asset_row(""), asset_row("~")
    if chosen.uploaded_from is not None:
        first = asset_row(first_id(_moved(chosen.uploaded_from, -_LONGEST_UPLOAD)))
    if chosen.uploaded_before is not None:
        last = asset_row(first_id(_moved(chosen.uploaded_before, _CLOCK_SKEW)))
    return first, last


def _moved(at: datetime, by: timedelta) -> datetime:
    """Move a time; a time at the end of the calendar stays."""
    try:
        return at + by
    except OverflowError:
        return at


def _where(chosen: AssetFilter) -> list[Condition]:
    conditions = []
    if chosen.verdict is not None:
        conditions.append(Condition("verdict", "eq", chosen.verdict))
    if chosen.scanned_before is not None:
        conditions.append(Condition("scannedAt", "lt", time_text(chosen.scanned_before)))
    if chosen.uploaded_from is not None:
        conditions.append(Condition("uploadedAt", "ge", time_text(chosen.uploaded_from)))
    if chosen.uploaded_before is not None:
        conditions.append(Condition("uploadedAt", "lt", time_text(chosen.uploaded_before)))
    # The condition is part of a URL, which has a length; `page` looks at the rest of the prefix.
    prefix = canonical_path(chosen.prefix)[:_PREFIX_IN_QUERY]
    if prefix:
        conditions.append(Condition("canonicalPath", "ge", prefix))
    if chosen.metadata_note == ANY_NOTE:
        # A row without the column meets no condition on the column.
        conditions.append(Condition("metadataNote", "ge", ""))
    elif chosen.metadata_note not in (None, NO_RECORD):
        conditions.append(Condition("metadataNote", "eq", str(chosen.metadata_note)))
    after = after_prefix(prefix)
    if after is not None:
        conditions.append(Condition("canonicalPath", "lt", after))
    return conditions


def _companion_row(asset: Asset) -> str:
    """Return the RowKey of an asset's place among its companions."""
    return key("companion", asset.companions or "", asset.id)


def _version_row(path: str) -> str:
    """Return the RowKey of a path's version count, which fits any path and hides the path."""
    return key("version", hashlib.sha256(path.encode(errors="surrogatepass")).hexdigest())


def asset_row(identifier: str) -> str:
    """Return the RowKey of an asset in the tenant's partition of `assets`."""
    return key("asset", identifier)


def record_row(identifier: str) -> str:
    """Return the RowKey of the sealed record of an asset, beside the asset's row."""
    return key("record", identifier)


def record_blob(tenant: str, asset: str, version: str) -> str:
    """Return the name in `metadata` of a sealed record that is too large for a row."""
    return f"{tenant}/{asset}.{version}"


def moving_row(identifier: str) -> str:
    """Return the RowKey of the move of an asset's bytes to quarantine, while the move lasts."""
    return key("moving", identifier)
