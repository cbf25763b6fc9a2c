"""Giving, revoking and using a consent grant."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from shared.accesslog.entries import check
from shared.consents.rules import Request, covers, decide, find_grant, status
from shared.errors import ConflictError, ForbiddenError, InvalidInputError
from shared.messages.contracts import Actor, ConsentGranted, ConsentRevoked

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA = Actor(id="ada", role="tenant.admin", organisation="Acme")
GRANT = ConsentGranted(
    grant_id="G1",
    tenant="acme",
    path_prefix="2026/",
    operations=("read",),
    purpose="Rendition fails",
    ticket="T-1",
    engineer="eng-7",
    expires_at=NOW + timedelta(hours=1),
    granted_by=ADA,
)
REVOKE = ConsentRevoked(grant_id="G1", tenant="acme", revoked_by=ADA)
REQUEST = Request("eng-7", "2026/a.jpg", "read", "Rendition fails", "T-1")


def granted():
    return decide(None, GRANT, NOW).grant


def test_a_grant_is_kept_and_logged():
    decision = decide(None, GRANT, NOW)
    assert status(decision.grant, NOW) == "active"
    assert decision.entry is not None
    assert (decision.entry.action, decision.entry.grant_id) == ("consent.granted", "G1")


@pytest.mark.parametrize("role", ["vendor.support", "vendor.service", "tenant.viewer", ""])
def test_only_the_tenants_own_people_give_and_revoke(role):
    stranger = Actor(id="eng-7", role=role, organisation="vendor")
    for command in (
        msgspec.structs.replace(GRANT, granted_by=stranger),
        msgspec.structs.replace(REVOKE, revoked_by=stranger),
    ):
        with pytest.raises(ForbiddenError) as refused:
            decide(granted(), command, NOW)
        assert refused.value.code == "role-missing"


def test_the_same_grant_twice_changes_nothing():
    decision = decide(granted(), GRANT, NOW + timedelta(hours=3))
    assert decision.grant == granted()
    assert decision.entry is None


def test_a_grant_id_cannot_stand_for_other_terms():
    other = msgspec.structs.replace(GRANT, engineer="eng-8")
    with pytest.raises(ConflictError) as refused:
        decide(granted(), other, NOW)
    assert refused.value.code == "consent-grant-exists"


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=400)])
def test_a_grant_that_ends_in_the_past_is_refused(late):
    with pytest.raises(InvalidInputError) as refused:
        decide(None, GRANT, GRANT.expires_at + late)
    assert refused.value.code == "consent-grant-expired"


@pytest.mark.parametrize(
    ("year", "code"),
    [
        (1, "consent-grant-expiry-invalid"),
        (2, "consent-grant-expired"),
        (9999, "consent-grant-expiry-invalid"),
    ],
)
def test_a_grant_that_ends_at_an_end_of_the_calendar_is_refused(year, code):
    for zone in (UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))):
        expires_at = datetime(year, 6, 1, tzinfo=zone)
        command = msgspec.structs.replace(GRANT, expires_at=expires_at)
        with pytest.raises(InvalidInputError) as refused:
            decide(None, command, NOW)
        assert refused.value.code == code


def test_a_time_that_utc_cannot_tell_is_refused():
    command = msgspec.structs.replace(
        GRANT, expires_at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
    )
    with pytest.raises(InvalidInputError) as refused:
        decide(None, command, NOW)
    assert refused.value.code == "consent-grant-expiry-invalid"


def test_a_grant_may_end_in_the_last_year_but_one():
    command = msgspec.structs.replace(GRANT, expires_at=datetime(9998, 12, 31, 23, tzinfo=UTC))
    assert decide(None, command, NOW).grant.expires_at == command.expires_at


def test_a_revocation_is_kept_and_logged_once():
    first = decide(granted(), REVOKE, NOW)
    assert status(first.grant, NOW) == "revoked"
    assert first.entry is not None
    assert first.entry.action == "consent.revoked"
    assert decide(first.grant, REVOKE, NOW).entry is None


@pytest.mark.parametrize("place", ["purpose", "ticket"])
def test_a_grant_whose_text_the_log_would_refuse_can_be_revoked(place):
    grant = msgspec.structs.replace(granted(), **{place: "for zoe@acme.example"})
    decision = decide(grant, REVOKE, NOW)
    assert status(decision.grant, NOW) == "revoked"
    assert getattr(decision.grant, place) == "for zoe@acme.example"
    assert getattr(decision.entry, place) is None
    check(decision.entry)


def test_a_revocation_that_overtakes_its_grant_wins():
    early = decide(None, REVOKE, NOW).grant
    late = decide(early, GRANT, NOW).grant
    assert status(late, NOW) == "revoked"
    assert late.engineer == "eng-7"
    assert find_grant([late], REQUEST, NOW) == "consent-grant-revoked"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"purpose": "  RENDITION   fails "}, None),
        ({"engineer": "eng-8"}, "no-consent-grant"),
        ({"path": "2025/a.jpg"}, "path-not-covered"),
        ({"path": "2026"}, "path-not-covered"),
        ({"operation": "delete"}, "operation-not-covered"),
        ({"ticket": "T-2"}, "ticket-differs"),
        ({"purpose": "Curiosity"}, "purpose-differs"),
    ],
    ids=str,
)
def test_a_grant_allows_what_it_names_and_nothing_else(change, reason):
    fields = {name: getattr(REQUEST, name) for name in Request.__slots__}
    found = find_grant([granted()], Request(**(fields | change)), NOW)
    assert found == (reason or granted())


@pytest.mark.parametrize(
    ("after", "live"), [(timedelta(minutes=59), True), (timedelta(hours=1), False)]
)
def test_a_grant_ends_when_it_says(after, live):
    found = find_grant([granted()], REQUEST, NOW + after)
    assert found == (granted() if live else "consent-grant-expired")


def test_the_reason_is_that_of_the_closest_grant():
    far = msgspec.structs.replace(granted(), engineer="eng-8")
    near = msgspec.structs.replace(granted(), ticket="T-9")
    assert find_grant([far, near, far], REQUEST, NOW) == "ticket-differs"
    assert find_grant([], REQUEST, NOW) == "no-consent-grant"


@pytest.mark.parametrize(
    ("prefix", "path", "covered"),
    [
        ("", "a.jpg", True),
        ("a/b", "a/b", True),
        ("a/b", "a/b/c.jpg", True),
        ("a/b/", "a/b/c.jpg", True),
        ("a/b", "a/bc.jpg", False),
        ("a/b/", "a/b", False),
        ("a/b//", "a/b/c.jpg", False),
        ("A", "a/b", False),
        ("a", "a/../b", True),
    ],
)
def test_a_prefix_covers_whole_segments(prefix, path, covered):
    assert covers(prefix, path) is covered
