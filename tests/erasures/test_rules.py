"""The life of an erasure request."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.erasures.finds import FieldDecision, FindChoice
from shared.erasures.rules import (
    BATCH_SIZE,
    Counts,
    Preview,
    Sealed,
    approve,
    batches_of,
    decide_finds,
    discovered,
    entry,
    open_request,
    verify,
)
from shared.errors import ConflictError, ForbiddenError
from shared.messages.contracts import Actor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
MIA = Actor(id="mia", role="tenant.dam_manager", organisation="Acme")
NOOR = Actor(id="noor", role="tenant.dam_manager", organisation="Acme")
SEALED = Sealed("sealed", "K1")
FOUND = Preview(Counts(named=2, likely=1, assets=3, bytes=100), 50, {"metadata-cut": 1})
NOTHING = Preview(Counts(), 7, {})


def opened(*, possible=False):
    return open_request("acme", SEALED, MIA, "R1", "D1", NOW, possible=possible).state


def previewed():
    return discovered(opened(), "D1", FOUND, NOW).state


def erasing(batches=2):
    return msgspec.structs.replace(approve(previewed(), NOOR, LATER).state, batches=batches)


def verifying():
    return verify(erasing(), 2, "D2", LATER).state


def test_a_request_waits_for_discovery():
    decision = open_request("acme", SEALED, MIA, "R1", "D1", NOW, possible=True)
    state = decision.state
    assert (state.status, state.discovery, state.possible) == ("discovering", "D1", True)
    assert (state.identifiers, state.identifiers_key) == ("sealed", "K1")
    assert decision.entry is not None
    assert decision.entry.action == "erasure.requested"


def test_discovery_sets_the_preview_once():
    state = previewed()
    assert (state.status, state.counts) == ("awaiting-approval", FOUND.counts)
    assert (state.assets_read, state.not_looked_into) == (50, {"metadata-cut": 1})
    again = discovered(state, "D1", NOTHING, NOW)
    assert again.state is state
    assert again.entry is None


@pytest.mark.parametrize("state", [opened(), verifying()])
def test_an_earlier_run_of_discovery_changes_nothing(state):
    decision = discovered(state, "D0", FOUND, NOW)
    assert decision.state is state
    assert decision.entry is None


def test_decisions_are_kept_until_the_approval():
    choice = FindChoice(fields=(FieldDecision(field="path", decision="leave-out"),))
    decision = decide_finds(previewed(), choice, Counts(named=2), NOOR, LATER)
    assert (decision.state.choice, decision.state.counts) == (choice, Counts(named=2))
    assert (decision.state.decided_by, decision.state.decided_at) == (NOOR, LATER)
    assert decision.entry is not None
    assert decision.entry.action == "erasure.finds-decided"


@pytest.mark.parametrize("state", [opened(), erasing(), verifying()])
def test_no_decision_without_a_preview(state):
    with pytest.raises(ConflictError) as refused:
        decide_finds(state, FindChoice(), Counts(), NOOR, NOW)
    assert refused.value.code == "erasure-not-awaiting-approval"


def test_the_requester_cannot_approve():
    with pytest.raises(ForbiddenError) as refused:
        approve(previewed(), MIA, NOW)
    assert refused.value.code == "erasure-self-approval"


def test_nobody_approves_without_a_preview():
    with pytest.raises(ConflictError) as refused:
        approve(opened(), NOOR, NOW)
    assert refused.value.code == "erasure-not-awaiting-approval"


def test_an_approval_starts_the_erasure():
    decision = approve(previewed(), NOOR, LATER)
    assert decision.state.status == "erasing"
    assert (decision.state.approved_by, decision.state.approved_at) == (NOOR, LATER)


def test_a_repeated_approval_changes_nothing():
    decision = approve(erasing(), NOOR, LATER)
    assert decision.entry is None
    assert decision.state == erasing()


def test_another_approval_of_an_approved_request_is_refused():
    other = Actor(id="omar", role="tenant.dam_manager", organisation="Acme")
    with pytest.raises(ConflictError):
        approve(erasing(), other, NOW)


@pytest.mark.parametrize(
    ("assets", "batches"),
    [(0, 0), (1, 1), (BATCH_SIZE, 1), (BATCH_SIZE + 1, 2), (2 * BATCH_SIZE, 2)],
)
def test_the_batches_of_assets(assets, batches):
    assert batches_of(assets) == batches


@pytest.mark.parametrize(("batches", "done"), [(None, 5), (2, 1), (1, 0)])
def test_an_erasure_is_not_verified_before_every_batch_is_done(batches, done):
    state = erasing(batches)
    decision = verify(state, done, "D2", LATER)
    assert decision.state is state
    assert decision.entry is None


def test_an_erasure_is_verified_by_a_new_run():
    state = verifying()
    assert (state.status, state.discovery, state.earlier) == ("verifying", "D2", ("D1",))
    assert (state.discovery_started_at, state.shown) == (LATER, "D1")
    assert verify(state, 2, "D3", LATER).entry is None


def test_an_erasure_without_batches_is_verified_at_once():
    assert verify(erasing(0), 0, "D2", LATER).state.status == "verifying"


def test_a_verified_request_is_completed_without_its_identifiers():
    decision = discovered(verifying(), "D2", NOTHING, LATER)
    state = decision.state
    assert (state.status, state.completed_at) == ("completed", LATER)
    assert (state.identifiers, state.identifiers_key) == (None, None)
    assert (state.counts, state.shown) == (FOUND.counts, "D1")
    assert decision.entry is not None
    assert decision.entry.action == "erasure.completed"


@pytest.mark.parametrize(("hidden", "status"), [(1, "completed"), (2, "awaiting-approval")])
def test_a_request_is_not_completed_over_records_that_do_not_open_any_more(hidden, status):
    before = Preview(FOUND.counts, 50, {"metadata-not-opened": 1})
    approved = approve(discovered(opened(), "D1", before, NOW).state, NOOR, LATER).state
    state = verify(msgspec.structs.replace(approved, batches=0), 0, "D2", LATER).state
    after = Preview(Counts(), 9, {"metadata-not-opened": hidden})
    decision = discovered(state, "D2", after, LATER)
    assert decision.state.status == status
    assert decision.state.not_looked_into == {"metadata-not-opened": hidden}


@pytest.mark.parametrize("certainty", ["named", "likely", "possible"])
def test_a_new_find_leads_back_to_the_approval(certainty):
    new = Preview(Counts(**{certainty: 1}), 1, {})
    state = discovered(verifying(), "D2", new, LATER).state
    assert (state.status, state.approved_by, state.batches) == ("awaiting-approval", None, None)
    assert state.identifiers == "sealed"
    assert approve(state, NOOR, LATER).state.status == "erasing"


def test_an_empty_first_preview_is_shown():
    state = discovered(opened(), "D1", NOTHING, NOW).state
    assert state.status == "awaiting-approval"


def test_the_entry_of_a_step():
    step = entry(opened(), "asset.erased", NOOR, "assets/A1")
    assert (step.resource, step.ticket, step.outcome) == ("assets/A1", "R1", "allowed")
    assert entry(opened(), "x", NOOR).resource == "erasure-requests/R1"
