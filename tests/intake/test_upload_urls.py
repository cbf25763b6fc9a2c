"""The lifetime of an upload and of its URLs."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import ConflictError
from shared.ids import first_id
from shared.intake.upload_urls import (
    LONGEST_REQUEST,
    UPLOAD_LIFETIME,
    UPLOAD_URL_LIFETIME,
    check_unfinished,
    url_expiry,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_url_lives_briefly_and_an_upload_for_a_day():
    assert UPLOAD_URL_LIFETIME.total_seconds() == 900
    assert timedelta(days=1) == UPLOAD_LIFETIME == LONGEST_REQUEST


@pytest.mark.parametrize(
    ("after", "left"),
    [
        (timedelta(0), UPLOAD_URL_LIFETIME),
        (UPLOAD_LIFETIME - UPLOAD_URL_LIFETIME, UPLOAD_URL_LIFETIME),
        (UPLOAD_LIFETIME - timedelta(minutes=1), timedelta(minutes=1)),
        (UPLOAD_LIFETIME, None),
    ],
)
def test_a_url_for_a_repeated_request_ends_with_the_upload(after, left):
    identifier, now = first_id(NOW), NOW + after
    if left is not None:
        assert url_expiry(identifier, now) == now + left
        return
    with pytest.raises(ConflictError) as refused:
        url_expiry(identifier, now)
    assert refused.value.code == "upload-lapsed"


def test_an_upload_that_came_is_finished():
    check_unfinished("U1", ())
    check_unfinished("U1", {"U2"})
    with pytest.raises(ConflictError) as refused:
        check_unfinished("U1", {"U1", "U2"})
    assert refused.value.code == "upload-finished"
