"""Those who received an asset's bytes, by the tenant's access log."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.accesslog.reading.filters import EntryFilter
from shared.accesslog.reading.views import Listed
from shared.messages.contracts import Recipient

if TYPE_CHECKING:
    # For the type's name alone; an import would slow a cold start.
    from shared.accesslog.reading.listing import Reading

# The receipts that a notice lists at most, and the pages of the log that the search reads.
_MOST: Final = 100
_PAGES: Final = 100
# The acts on an asset that hand over no bytes. Any other allowed act counts as a receipt: services
# report acts by names of their own.
_WITHOUT_BYTES: Final = frozenset(
    {"asset.viewed", "asset.cleared", "asset.quarantined", "asset.erased"}
)


async def recipients_of(
    reading: "Reading", tenant: str, asset: str, since: datetime
) -> tuple[Sequence[Recipient], bool]:
    """Return the latest receipts of an asset since a time, the latest first, at most 100.

    The second value is False where the log may have more. Raises UnavailableError.
    """
    wanted = EntryFilter(since=since, resource=f"assets/{asset}", outcome="allowed")
    found: list[Recipient] = []
    continuation = None
    for _ in range(_PAGES):
        page, continuation = await reading.page(
            tenant, wanted, size=_MOST, continuation=continuation
        )
        found += [recipient for entry in page if (recipient := receipt(entry, asset)) is not None]
        if len(found) > _MOST:
            break
        if continuation is None:
            return found, True
    return found[:_MOST], False


def receipt(entry: Listed, asset: str) -> Recipient | None:
    """Return the receipt that an entry records; None for an entry of any other act."""
    if entry.actor is None or entry.time is None or not entry.action:
        return None
    if entry.resource != f"assets/{asset}" or entry.action in _WITHOUT_BYTES:
        return None
    return Recipient(
        id=entry.actor.id,
        role=entry.actor.role,
        organisation=entry.actor.organisation,
        action=entry.action,
        received_at=entry.time,
    )
