"""The deadlines and their clocks, as tables."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from shared.breaches.deadlines import DEADLINES, Deadline, Period, clocks
from shared.errors import InvalidInputError

FRIDAY = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        # 72 hours run through the weekend.
        (FRIDAY, Period(hours=72), datetime(2026, 11, 30, 16, 30, tzinfo=UTC)),
        (FRIDAY, Period(months=1), datetime(2026, 12, 27, 16, 30, tzinfo=UTC)),
        (
            datetime(2027, 1, 31, 9, tzinfo=UTC),
            Period(months=1),
            datetime(2027, 2, 28, 9, tzinfo=UTC),
        ),
        (
            datetime(2028, 1, 31, 9, tzinfo=UTC),
            Period(months=1),
            datetime(2028, 2, 29, 9, tzinfo=UTC),
        ),
        (
            datetime(2026, 12, 31, 9, tzinfo=UTC),
            Period(months=2),
            datetime(2027, 2, 28, 9, tzinfo=UTC),
        ),
        # Hours are hours, whatever a zone's clocks do: summer time begins in this night.
        (
            datetime(2027, 3, 27, 12, tzinfo=timezone(timedelta(hours=1))),
            Period(hours=24),
            datetime(2027, 3, 28, 11, tzinfo=UTC),
        ),
    ],
)
def test_a_period_ends(start: datetime, period: Period, end: datetime) -> None:
    assert period.after(start) == end


@pytest.mark.parametrize("period", [Period(hours=72), Period(months=1)])
def test_a_period_beyond_the_calendar_is_refused(period: Period) -> None:
    with pytest.raises(InvalidInputError, match="breach-time-invalid"):
        period.after(datetime(9999, 12, 31, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("now", "done", "state", "left"),
    [
        (FRIDAY, None, "running", timedelta(hours=72)),
        (FRIDAY + timedelta(hours=72), None, "running", timedelta(0)),
        (FRIDAY + timedelta(hours=73), None, "overdue", timedelta(hours=-1)),
        (FRIDAY + timedelta(hours=99), FRIDAY + timedelta(hours=72), "met", None),
        (FRIDAY + timedelta(hours=99), FRIDAY + timedelta(hours=73), "late", None),
        # A clock that goes back shows more time than there is, and no error.
        (FRIDAY - timedelta(hours=1), None, "running", timedelta(hours=73)),
    ],
)
def test_the_tenants_clock_counts(
    now: datetime, done: datetime | None, state: str, left: timedelta | None
) -> None:
    (clock,) = clocks("tenant", {"tenant-noticed": FRIDAY}, {"gdpr-authority": done}, now)
    assert (clock.state, clock.left) == (state, left)
    assert clock.due_at == datetime(2026, 11, 30, 16, 30, tzinfo=UTC)


def test_a_clock_without_its_moment_has_not_started() -> None:
    found = {one.deadline.name: one for one in clocks("vendor", {}, {}, FRIDAY)}
    assert set(found) == {one.name for one in DEADLINES if one.party == "vendor"}
    assert {one.state for one in found.values()} == {"not-started"}


def test_without_a_period_the_law_counts_to_the_vendors_own_aim() -> None:
    found = clocks("vendor", {"vendor-aware": FRIDAY}, {}, FRIDAY)
    (clock,) = [one for one in found if one.state != "not-started"]
    assert clock.deadline.period is None
    assert clock.due_at == FRIDAY + timedelta(hours=24)


def _row(hours: int, since: date, until: date | None) -> Deadline:
    return Deadline(
        "gdpr-authority",
        "gdpr",
        f"{hours}",
        "Art. 33(1)",
        "Notify.",
        "tenant",
        "tenant-noticed",
        Period(hours=hours),
        since=since,
        until=until,
    )


@pytest.mark.parametrize(
    ("start", "hours"),
    [
        (datetime(2027, 6, 30, 23, 59, tzinfo=UTC), 72),
        (datetime(2027, 7, 1, tzinfo=UTC), 96),
        # The day is that of UTC.
        (datetime(2027, 7, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))), 72),
    ],
)
def test_a_change_of_law_is_a_change_of_a_row(start: datetime, hours: int) -> None:
    change = date(2027, 7, 1)
    law = [_row(72, date(2018, 5, 25), change), _row(96, change, None)]
    # The row of the start counts, however late somebody looks.
    late = datetime(2028, 1, 1, tzinfo=UTC)
    (clock,) = clocks("tenant", {"tenant-noticed": start}, {}, late, deadlines=law)
    assert clock.due_at == start + timedelta(hours=hours)
