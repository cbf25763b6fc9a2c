"""When an upload that cannot be inspected is given up."""

import errno

import pytest

from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    NotFoundError,
    RowConflictError,
    UnavailableError,
)
from shared.intake.failures import is_exhausted, must_be_alone, refuse_failed, refuse_unended
from shared.intake.lanes import bulk_session
from shared.intake.rules import Filing

REFUSED = Filing("refused", "inspection-failed")


@pytest.mark.parametrize(
    ("error", "deliveries", "filing"),
    [
        (ValueError("x"), 1, None),
        (ValueError("x"), 2, REFUSED),
        (ValueError("x"), 3, REFUSED),
        (MemoryError(), 2, REFUSED),
        (RecursionError(), 2, REFUSED),
        (OSError(errno.EIO, "x"), 2, REFUSED),
        (OSError("no errno"), 2, REFUSED),
        (OSError(errno.ENOSPC, "x"), 9, None),
        (OSError(errno.EDQUOT, "x"), 9, None),
        (OSError(errno.EMFILE, "x"), 9, None),
        (OSError(errno.ENFILE, "x"), 9, None),
        (OSError(errno.ENOMEM, "x"), 9, None),
        (UnavailableError("storage"), 9, None),
        (RowConflictError("assets"), 9, None),
        (BlobChangedError(), 9, None),
        (BlobArchivedError(), 9, None),
        (NotFoundError("a", "b", "c"), 9, None),
        (ConnectionResetError(), 9, None),
        (TimeoutError(), 9, None),
    ],
)
def test_an_error_of_the_file_refuses_the_file_at_the_second_delivery(error, deliveries, filing):
    assert refuse_failed(error, deliveries) == filing


@pytest.mark.parametrize(
    ("error", "expected"),
    [(OSError(errno.ENOSPC, ""), True), (OSError(errno.EIO, ""), False), (MemoryError(), False)],
)
def test_want_of_disk_is_no_fault_of_the_file(error, expected):
    assert is_exhausted(error) is expected


@pytest.mark.parametrize(("deliveries", "alone"), [(0, False), (4, False), (5, True), (9, True)])
def test_an_upload_delivered_too_often_must_be_alone(deliveries, alone):
    assert must_be_alone(deliveries) is alone


@pytest.mark.parametrize(
    ("deliveries", "alone", "filing"),
    [(3, True, None), (4, True, REFUSED), (4, False, None), (10, False, None)],
)
def test_only_an_upload_that_was_alone_is_to_blame(deliveries, alone, filing):
    assert refuse_unended(deliveries, alone=alone) == filing


def test_a_tenant_has_four_sessions_and_a_folder_of_no_tenant_none_of_its_own():
    ids = [f"01M8G8S2FRB8HJX2AS82FWV2M{end}" for end in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"]
    assert {bulk_session("acme", one) for one in ids} == {f"acme/{number}" for number in range(4)}
    assert bulk_session("No Tenant/", ids[0]) == bulk_session("x" * 200, ids[0]) == "_unknown/0"
