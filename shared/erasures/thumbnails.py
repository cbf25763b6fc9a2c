"""Thumbnails of finds, rendered when somebody looks, and kept nowhere."""

import asyncio
import base64
import tempfile
from typing import IO, Final

from shared.assets.rules import Asset
from shared.assets.service import Assets
from shared.erasures.finds import no_asset_of_find, no_such_find
from shared.erasures.rules import request_over
from shared.erasures.store import ErasureStore
from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    ConflictError,
)
from shared.metadata.parsing import RENDERED, Thumbnail, render
from shared.metadata.worker.result import RENDERED_TOO_LARGE
from shared.ports import BlobInfo, Blobs

# Bytes of a picture that is read from storage; a picture above _IN_MEMORY goes through a temporary
# file.
_LARGEST: Final = 256 * 1024 * 1024
_IN_MEMORY: Final = 4 * 1024 * 1024
# Pictures that an instance reads at a time, so that a page of finds does not fill the disk.
_CONCURRENT: Final = 2


class Thumbnails:
    """The thumbnails of every tenant's finds."""

    def __init__(self, store: ErasureStore, assets: Assets, blobs: Blobs) -> None:
        self._store = store
        self._assets = assets
        self._blobs = blobs
        self._limit = asyncio.Semaphore(_CONCURRENT)

    async def show(self, tenant: str, request: str, find: str, asset: str) -> bytes:
        """Render an asset of a find as a JPEG.

        Raises NotFoundError for a find or an asset that the preview does not have and for bytes
        that are gone, ConflictError for a completed request and for an asset without a thumbnail,
        and UnavailableError.
        """
        state, _ = await self._store.load(tenant, request)
        if state.status == "completed":
            raise request_over()
        known = await self._store.find(state, state.shown, find)
        if known is None:
            raise no_such_find()
        if asset not in {one.id for one in known.assets}:
            raise no_asset_of_find()
        found = await self._assets.find(tenant, asset)
        _require_picture(found)
        blob = await self._assets.bytes_of(found)
        if blob.size > _LARGEST:
            raise _too_large()
        async with self._limit:
            thumbnail = await self._render(blob)
        if thumbnail.note is not None:
            raise _too_large() if thumbnail.note == RENDERED_TOO_LARGE else _unreadable()
        return base64.b64decode(thumbnail.jpeg)

    async def _render(self, blob: BlobInfo) -> Thumbnail:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            try:
                async with self._blobs.read(blob) as chunks:
                    async for chunk in chunks:
                        await asyncio.to_thread(file.write, chunk)
            except BlobChangedError as error:
                raise no_asset_of_find() from error
            except BlobArchivedError as error:
                raise _archived() from error
            return await asyncio.to_thread(_rendered, file)


def _rendered(file: IO[bytes]) -> Thumbnail:
    return render(file)


def _require_picture(asset: Asset) -> None:
    if asset.verdict != "clean":
        raise ConflictError(
            "thumbnail-not-cleared",
            f"The file was found {asset.verdict}; its bytes are shown to nobody.",
            "Decide by the path and the texts that matched.",
        )
    if asset.media_type not in RENDERED:
        raise ConflictError(
            "thumbnail-not-supported",
            "Of files of the type no thumbnail is rendered.",
            f"Look at the asset in the DAM. Rendered are: {', '.join(sorted(RENDERED))}.",
        )


def _archived() -> ConflictError:
    return ConflictError(
        "thumbnail-archived",
        "The asset's bytes are in the archive tier.",
        "Bring the asset back from the archive, or look at it in the DAM.",
    )


def _too_large() -> ConflictError:
    return ConflictError(
        "thumbnail-too-large",
        "The picture takes more memory or time than a thumbnail is given.",
        "Look at the asset in the DAM.",
    )


def _unreadable() -> ConflictError:
    return ConflictError(
        "thumbnail-unreadable",
        "The picture is broken, ends early, or takes more memory than its decoder is given.",
        "Look at the asset in the DAM.",
    )
