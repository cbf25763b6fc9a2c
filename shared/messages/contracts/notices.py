"""The notices to tenants, as messages."""

from typing import Final

from shared.catalogue import NOTICES_QUEUE
from shared.messages.contracts.base import (
    AwareTime,
    Contract,
    Identifier,
    MessageType,
    TenantId,
    Text,
)


class UploadInfected(Contract, frozen=True):
    """A notice to a tenant's contacts: an upload was infected and is in quarantine.

    The deliverer looks the contacts up; no address travels on a queue.
    """

    tenant: TenantId
    asset_id: Identifier
    found_at: AwareTime


class Recipient(Contract, frozen=True):
    """A receipt of an asset's bytes, by the tenant's access log. `id` is the directory's."""

    id: Identifier
    role: Text
    organisation: Text
    action: Text
    received_at: AwareTime


class AssetInfected(Contract, frozen=True):
    """A notice to a tenant's contacts: a stored asset was found infected and is in quarantine.

    `recipients` are the latest receipts since the asset was filed, the latest first; `is_complete`
    is False where the access log has more.
    """

    tenant: TenantId
    asset_id: Identifier
    filed_at: AwareTime
    found_at: AwareTime
    recipients: tuple[Recipient, ...]
    is_complete: bool


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.upload.infected.v1", UploadInfected, NOTICES_QUEUE),
    MessageType("vouchsafe.asset.infected.v1", AssetInfected, NOTICES_QUEUE),
)
