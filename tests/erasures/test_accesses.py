"""Accesses to assets whose bytes are not to be had, as an erasure or an outage crosses them."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesses.rules import Attempt
from shared.accesslog.reading.filters import EntryFilter
from shared.errors import NotFoundError, UnavailableError
from shared.identity.rules import VENDOR_SUPPORT, Caller
from shared.messages.contracts import ConsentGranted
from tests.erasures.steps import MIA, assets, uploaded

SVEN = Caller("sven", frozenset({VENDOR_SUPPORT}), None, "vendor")


async def consented(app, tenant):
    """A grant that lets sven read everything."""
    now = datetime.now(UTC)
    await app.consents.apply(
        ConsentGranted(
            grant_id=app.new_id(),
            tenant=tenant,
            path_prefix="",
            operations=("read",),
            purpose="p",
            ticket="T",
            engineer="sven",
            expires_at=now + timedelta(hours=1),
            granted_by=MIA,
        )
    )


async def outcomes(app, tenant):
    """How the attempts at the tenant's assets went, oldest first."""
    wanted = EntryFilter(action="asset.read")
    entries, _ = await app.log_reading.page(tenant, wanted, size=100, continuation=None)
    return [(entry.outcome, entry.reason) for entry in reversed(entries)]


async def test_an_access_hands_over_no_other_asset_than_it_was_asked_for(fast, tenant):
    await fast.intake.process_upload(await uploaded(fast, f"{tenant}/a.jpg"))
    (old,) = await assets(fast, tenant)
    await consented(fast, tenant)
    # An erasure that died after the bytes had gone, and an upload to the same path.
    await fast.blobs.delete(old.container, old.blob)
    await fast.intake.process_upload(await uploaded(fast, f"{tenant}/a.jpg"))
    with pytest.raises(NotFoundError):
        await fast.accesses.attempt(Attempt(tenant, old.id, "read", "p", "T", None), SVEN)
    assert await outcomes(fast, tenant) == [("failed", "asset-gone")]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("head", [("failed", "storage-unavailable")]),
        ("read", [("allowed", None), ("failed", "storage-unavailable")]),
    ],
)
async def test_an_access_during_an_outage_is_told_as_it_went(fast, tenant, monkeypatch, step, told):
    await fast.intake.process_upload(await uploaded(fast, f"{tenant}/a.jpg"))
    (asset,) = await assets(fast, tenant)
    await consented(fast, tenant)

    def fail(*_):
        raise UnavailableError("storage")

    monkeypatch.setattr(fast.blobs, step, fail)
    with pytest.raises(UnavailableError):
        await fast.accesses.attempt(Attempt(tenant, asset.id, "read", "p", "T", None), SVEN)
    assert await outcomes(fast, tenant) == told


async def test_an_access_whose_bytes_vanish_while_they_are_read_is_told_as_failed_after_all(
    fast, tenant, monkeypatch
):
    await fast.intake.process_upload(await uploaded(fast, f"{tenant}/a.jpg"))
    (asset,) = await assets(fast, tenant)
    await consented(fast, tenant)
    head = fast.blobs.head

    async def overtaken(*place):
        found = await head(*place)
        await fast.blobs.delete(*place)
        return found

    monkeypatch.setattr(fast.blobs, "head", overtaken)
    with pytest.raises(NotFoundError):
        await fast.accesses.attempt(Attempt(tenant, asset.id, "read", "p", "T", None), SVEN)
    assert await outcomes(fast, tenant) == [("allowed", None), ("failed", "asset-gone")]
