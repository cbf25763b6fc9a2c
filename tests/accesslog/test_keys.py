"""Which versions of the key sign."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog.keys import OVERLAP, signing
from shared.ports import SecretVersion

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def versions(*ages):
    return [SecretVersion("value", str(number), NOW - age) for number, age in enumerate(ages)]


@pytest.mark.parametrize(
    ("ages", "signers"),
    [
        ([400 * DAY], ["0"]),
        ([400 * DAY, 0 * DAY], ["1", "0"]),
        ([400 * DAY, OVERLAP - DAY], ["1", "0"]),
        ([400 * DAY, OVERLAP], ["1"]),
        ([400 * DAY, 200 * DAY, DAY], ["2", "1"]),
        ([400 * DAY, 2 * DAY, DAY], ["2", "1", "0"]),
    ],
    ids=str,
)
def test_a_version_goes_on_signing_for_a_time_after_it_has_a_successor(ages, signers):
    assert [one.version for one in signing(versions(*ages), NOW)] == signers
