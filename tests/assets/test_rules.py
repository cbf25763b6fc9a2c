"""The age of a verdict, and the end of a prefix of paths."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.assets.rules import Asset, EngineVerdict, after_prefix

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ASSET = Asset(
    id="A",
    tenant="acme",
    path="a.jpg",
    container="tenant-acme",
    blob="a.jpg",
    verdict="clean",
    size=1,
    uploaded_at=NOW,
    filed_at=NOW,
)


@pytest.mark.parametrize(
    ("prefix", "after"),
    [
        ("shoots/", "shoots0"),
        ("a", "b"),
        ("\ud7ff", "\ue000"),
        ("a\uffff", "b"),
        ("\U0010ffff", None),
        ("", None),
    ],
)
def test_what_sorts_after_a_prefix(prefix, after):
    assert after_prefix(prefix) == after


@pytest.mark.parametrize(
    ("made_at", "days"),
    [
        (NOW, 0),
        (NOW - timedelta(hours=23), 0),
        (NOW - timedelta(days=8, hours=1), 8),
        (None, None),
    ],
)
def test_the_age_of_signatures(made_at, days):
    scan = EngineVerdict(engine="clamd", signatures_made_at=made_at, scanned_at=NOW)
    assert scan.signature_age_days == days
