"""An access to a file that a rescan has found infected."""

from datetime import timedelta

import pytest

from shared.accesses.rules import Attempt
from shared.errors import ForbiddenError
from shared.identity.rules import VENDOR_SUPPORT, Caller
from shared.messages.contracts import ConsentGranted
from tests.rescans.steps import ALL, MARK, MIA, notices, run, upload

SVEN = Caller("sven", frozenset({VENDOR_SUPPORT}), None, "vendor")


async def test_no_access_reaches_an_infected_file_from_the_first_commit_on(
    app, updated, bus, tenant, monkeypatch
):
    asset = await upload(app, tenant, "a.txt", MARK)
    granted = ConsentGranted(
        grant_id=app.new_id(),
        tenant=tenant,
        path_prefix="",
        operations=("read",),
        purpose="p",
        ticket="T",
        engineer="sven",
        expires_at=app.clock() + timedelta(hours=1),
        granted_by=MIA,
    )
    await app.consents.apply(granted)
    attempt = Attempt(tenant, asset.id, "read", "p", "T", None)
    assert (await app.accesses.attempt(attempt, SVEN)).content == MARK
    denied = []
    copy = updated.blobs.copy

    async def before_the_copy(*args):
        with pytest.raises(ForbiddenError) as refused:
            await app.accesses.attempt(attempt, SVEN)
        denied.append(refused.value.detail)
        return await copy(*args)

    monkeypatch.setattr(updated.blobs, "copy", before_the_copy)
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    await run(updated, tenant, state.id)
    assert len(denied) == 1
    assert "asset-quarantined" in denied[0]
    [notice] = await notices(bus, tenant)
    assert [one["id"] for one in notice["recipients"]] == ["sven"]
