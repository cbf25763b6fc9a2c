"""The life of an erasure request."""

from datetime import UTC, datetime

import msgspec
import pytest

from shared.erasures.rules import (
    BATCH_SIZE,
    Preview,
    approve,
    batches,
    complete,
    discovered,
    entry,
    open_request,
)
from shared.errors import ConflictError, ForbiddenError
from shared.messages.contracts import Actor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIA = Actor(id="mia", role="tenant.dam_manager", organisation="Acme")
NOOR = Actor(id="noor", role="tenant.dam_manager", organisation="Acme")


def opened():
    return open_request("acme", "sealed", MIA, "R1", NOW).state


def previewed(assets=3):
    return discovered(opened(), Preview(assets, 100, 7), "D1", NOW).state


def erasing(assets=3):
    return approve(previewed(assets), NOOR, NOW).state


def test_a_request_waits_for_discovery():
    decision = open_request("acme", "sealed", MIA, "R1", NOW)
    assert decision.state.status == "discovering"
    assert decision.entry is not None
    assert decision.entry.action == "erasure.requested"


def test_discovery_sets_the_preview_once():
    state = previewed()
    assert (state.status, state.assets, state.bytes, state.index_rows) == (
        "awaiting-approval",
        3,
        100,
        7,
    )
    again = discovered(state, Preview(9, 9, 9), "D2", NOW)
    assert again.state is state
    assert again.entry is None


def test_the_requester_cannot_approve():
    with pytest.raises(ForbiddenError) as refused:
        approve(previewed(), MIA, NOW)
    assert refused.value.code == "erasure-self-approval"


def test_another_manager_approves_once():
    first = approve(previewed(), NOOR, NOW)
    assert first.state.status == "erasing"
    assert first.entry is not None
    assert approve(first.state, NOOR, NOW).entry is None


@pytest.mark.parametrize("state", [opened(), erasing()], ids=["discovering", "erasing"])
def test_only_a_preview_can_be_approved(state):
    third = msgspec.structs.replace(NOOR, id="third")
    with pytest.raises(ConflictError) as refused:
        approve(state, third, NOW)
    assert refused.value.code == "erasure-not-awaiting-approval"


@pytest.mark.parametrize(
    ("assets", "number"),
    [(0, 0), (1, 1), (BATCH_SIZE, 1), (BATCH_SIZE + 1, 2), (200, 200 // BATCH_SIZE)],
)
def test_assets_make_batches(assets, number):
    assert batches(previewed(assets)) == number


def test_a_request_completes_with_its_last_batch_and_forgets_the_identifier():
    state = erasing(assets=2 * BATCH_SIZE)
    assert complete(state, 1, NOW).entry is None
    decision = complete(state, 2, NOW)
    assert decision.state.status == "completed"
    assert decision.state.identifier is None
    assert decision.entry is not None
    assert complete(decision.state, 2, NOW).entry is None


def test_an_entry_names_the_request_or_what_the_step_was_about():
    assert entry(opened(), "erasure.requested", MIA).resource == "erasure-requests/R1"
    assert entry(opened(), "asset.erased", MIA, "assets/A1").resource == "assets/A1"


def test_a_request_that_found_nothing_completes_at_once():
    assert complete(erasing(assets=0), 0, NOW).state.status == "completed"
