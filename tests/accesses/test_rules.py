"""Whether an access is allowed, and what the log says of it."""

import dataclasses
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.accesses.rules import GONE, LINK_LIFETIME, Attempt, decide, failed, link_expiry
from shared.accesslog.entries import check
from shared.assets import Asset
from shared.consents import Grant
from shared.identity.rules import TENANT_ADMIN, VENDOR_DPO, VENDOR_SUPPORT, Caller

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENGINEER = Caller("eng-7", frozenset({VENDOR_SUPPORT}), None, "vendor")
ASSET = Asset(
    id="A1",
    tenant="acme",
    path="2026/a.jpg",
    container="tenant-acme",
    blob="2026/a.jpg",
    verdict="clean",
    size=5,
    uploaded_at=NOW,
    filed_at=NOW,
)
GRANT = Grant(
    id="G1",
    tenant="acme",
    operations=("read",),
    purpose="Rendition fails",
    ticket="T-1",
    engineer="eng-7",
    granted_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
ATTEMPT = Attempt("acme", "A1", "read", "Rendition fails", "T-1", "198.51.100.7")


def test_a_live_grant_allows_and_is_named_in_the_entry():
    decision = decide(ATTEMPT, ENGINEER, ASSET, [GRANT], NOW)
    assert decision.grant is GRANT
    entry = decision.entry
    assert (entry.outcome, entry.grant_id, entry.reason) == ("allowed", "G1", None)
    assert (entry.action, entry.resource) == ("asset.read", "assets/A1")
    assert (entry.purpose, entry.ticket) == ("Rendition fails", "T-1")
    assert (entry.actor.id, entry.actor.role) == ("eng-7", VENDOR_SUPPORT)
    assert entry.client_address == "198.51.100.7"


@pytest.mark.parametrize("verdict", ["infected", "refused"])
def test_what_was_not_cleared_is_not_handed_over(verdict):
    asset = msgspec.structs.replace(ASSET, verdict=verdict)
    decision = decide(ATTEMPT, ENGINEER, asset, [GRANT], NOW)
    assert decision.grant is None
    assert (decision.entry.outcome, decision.entry.reason) == ("denied", "asset-quarantined")


def test_an_asset_that_is_not_there_is_denied():
    decision = decide(ATTEMPT, ENGINEER, None, [GRANT], NOW)
    assert (decision.grant, decision.entry.reason) == (None, "asset-not-found")


@pytest.mark.parametrize(
    "grants",
    [
        [],
        [msgspec.structs.replace(GRANT, engineer="eng-8")],
        [msgspec.structs.replace(GRANT, path_prefix="2025")],
        [msgspec.structs.replace(GRANT, ticket="T-2")],
        [msgspec.structs.replace(GRANT, path_prefix="2025"), Grant(id="G2", tenant="acme")],
    ],
)
def test_a_denial_does_not_tell_whether_there_is_an_asset(grants):
    missing, uncovered = (decide(ATTEMPT, ENGINEER, one, grants, NOW) for one in (None, ASSET))
    assert missing == uncovered
    assert missing.grant is None


@pytest.mark.parametrize("role", [TENANT_ADMIN, VENDOR_DPO])
def test_only_support_is_let_in(role):
    caller = Caller("eng-7", frozenset({role}), None, "vendor")
    decision = decide(ATTEMPT, caller, ASSET, [GRANT], NOW)
    assert (decision.grant, decision.entry.reason) == (None, "role-missing")


def test_without_a_grant_the_attempt_is_denied_and_recorded():
    decision = decide(ATTEMPT, ENGINEER, ASSET, [], NOW)
    assert (decision.grant, decision.entry.outcome) == (None, "denied")
    assert decision.entry.reason == "no-consent-grant"


@pytest.mark.parametrize("place", ["purpose", "ticket"])
def test_an_attempt_that_names_a_person_is_denied_and_recorded_without_the_name(place):
    """Also where a grant of before has the same text."""
    named = {place: "for zoe@acme.example"}
    attempt = dataclasses.replace(ATTEMPT, **named)
    grant = msgspec.structs.replace(GRANT, **named)
    for asset in (ASSET, None):
        decision = decide(attempt, ENGINEER, asset, [grant], NOW)
        assert (decision.grant, decision.entry.outcome) == (None, "denied")
        assert (decision.entry.reason, getattr(decision.entry, place)) == ("person-named", None)
        check(decision.entry)


def test_one_that_was_allowed_and_fails_keeps_all_else_that_its_entry_says():
    entry = decide(ATTEMPT, ENGINEER, ASSET, [GRANT], NOW).entry
    told = failed(entry, GONE)
    assert (told.outcome, told.reason) == ("failed", "asset-gone")
    assert msgspec.structs.replace(told, outcome="allowed", reason=None) == entry


def test_a_link_ends_with_its_grant_at_the_latest():
    assert timedelta(minutes=5) == LINK_LIFETIME
    assert link_expiry(GRANT, NOW) == NOW + LINK_LIFETIME
    assert link_expiry(GRANT, NOW + timedelta(minutes=58)) == GRANT.expires_at
