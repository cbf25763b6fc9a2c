"""The making of an asset's record anew: from the stored file, or from the earlier record."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from shared.assets.rules import Asset
from shared.assets.service import METADATA, record_blob
from shared.errors import BlobArchivedError, BlobChangedError, UnavailableError, kind_and_place
from shared.ids import new_id
from shared.metadata.parsing import READER
from shared.ports import BlobInfo, Blobs, Clock, Value
from shared.rereads.rules import NO_READER, Reread, RereadOutcome, reads_file
from shared.rereads.store import Kept
from shared.subjects.notes import NOT_OPENED, UNREAD
from shared.subjects.records import PATH, Opened, Records

if TYPE_CHECKING:
    from shared.intake.rules import Inspection

logger = logging.getLogger("vouchsafe.rereads")


@dataclass(frozen=True, slots=True)
class Renewed:
    """The outcome, the asset as it will be, and the columns of the new record."""

    outcome: RereadOutcome
    asset: Asset
    columns: Mapping[str, Value]


class Renewal:
    """Makes records anew."""

    def __init__(self, blobs: Blobs, records: Records, clock: Clock) -> None:
        self._blobs = blobs
        self._records = records
        self._clock = clock

    async def renew(self, state: Reread, kept: Kept, *, unread: bool = False) -> Renewed:
        """Make the record of a chosen asset anew, and keep nothing but the blob of a large record.

        `unread` passes a file over as unreadable. A file that cannot be read leaves the texts of
        the earlier record. Raises DataKeyError without a usable data key, and UnavailableError.
        """
        asset = kept.asset
        earlier = await self._earlier(kept)
        note = NOT_OPENED if earlier is None else earlier.note
        present = earlier or Opened(asset.id, (), UNREAD)
        if not _has_bytes(asset):
            # No later reread finds more.
            return await self._sealed("resealed", asset, present, READER)
        reader = NO_READER if earlier is None or kept.sealing is None else kept.sealing.reader
        if not reads_file(state, kept.sealing, note):
            return await self._sealed("resealed", asset, present, reader)
        inspection = None if unread else await self._inspect(asset)
        if inspection is None:
            return await self._sealed("unreadable", asset, present, reader)
        read = Opened(asset.id, inspection.texts, inspection.metadata_note)
        asset = msgspec.structs.replace(
            asset, people=tuple(inspection.people), documents=tuple(inspection.documents)
        )
        return await self._sealed("read", asset, read, READER)

    async def forget(self, tenant: str, asset: str, keep: object = None) -> None:
        """Delete the blobs of an asset's records but the blob with the name `keep`.

        A reread that crashed, or was overtaken by an erasure, leaves blobs.
        """
        async for blob in self._blobs.scan(METADATA, record_blob(tenant, asset, "")):
            if blob.name != keep:
                await self._blobs.delete(METADATA, blob.name)

    async def _earlier(self, kept: Kept) -> Opened | None:
        """Return the earlier record without the path; None for no record, and for a closed one."""
        if kept.record is None:
            return None
        opened = (await self._records.open(kept.asset.tenant, [kept.record]))[0]
        if opened.note == NOT_OPENED:
            return None
        texts = [text for text in opened.texts if text.field != PATH]
        return Opened(opened.asset, texts, opened.note)

    async def _sealed(
        self, outcome: RereadOutcome, asset: Asset, read: Opened, reader: int
    ) -> Renewed:
        after = msgspec.structs.replace(asset, metadata_reader=reader, metadata_note=read.note)
        version = new_id(self._clock())
        columns = await self._records.seal(after, read.texts, read.note, version, reader)
        return Renewed(outcome, after, columns)

    async def _inspect(self, asset: Asset) -> "Inspection | None":
        """Read the stored file of an asset; None for a file that cannot, or must not, be read."""
        if asset.container is None or asset.blob is None:
            return None
        blob = await self._blobs.head(asset.container, asset.blob)
        if blob is None or blob.metadata.get("asset") != asset.id:
            return None
        inspection = await self._read(blob, asset.id)
        if inspection is not None and inspection.sha256 != asset.sha256:
            logger.warning("asset %s: the stored bytes differ", asset.id)
            return None
        return inspection

    async def _read(self, blob: BlobInfo, asset: str) -> "Inspection | None":
        """Read a stored blob as intake does, without a scan; None for a blob that fails."""
        from shared.intake.inspection import Pass, run

        try:
            with Pass((), blob.size) as inspecting:
                async with self._blobs.read(blob) as chunks:
                    return await run(inspecting, chunks)
        except (UnavailableError, OSError):
            raise
        except BlobChangedError:
            return None
        except BlobArchivedError:
            await self._blobs.rehydrate(blob.container, blob.name)
            return None
        except Exception as error:  # noqa: BLE001 - any parser of any format may fail on a file
            logger.error("asset %s: %s", asset, kind_and_place(error))  # noqa: TRY400 - see there
            return None


def _has_bytes(asset: Asset) -> bool:
    """Tell whether an asset has bytes that may be read.

    Malware is never opened again, and a file that intake could not inspect has no SHA-256.
    """
    return asset.verdict == "clean" and asset.blob is not None and asset.sha256 is not None
