"""The messages of intake."""

from typing import Annotated, Final

from msgspec import Meta

from shared.catalogue import INTAKE_QUEUE
from shared.messages.contracts.base import AwareTime, Contract, ETag, MessageType


class BlobUploaded(Contract, frozen=True):
    """A blob arrived in `incoming`; `etag` and `last_modified` name the version."""

    name: Annotated[str, Meta(min_length=1, max_length=1024)]
    etag: ETag
    last_modified: AwareTime


MESSAGE_TYPES: Final = (MessageType("vouchsafe.blob.uploaded.v1", BlobUploaded, INTAKE_QUEUE),)
