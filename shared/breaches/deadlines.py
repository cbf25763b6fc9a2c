"""The deadlines of the law after a breach, as rows, and the clocks that count to them: pure rules.

A change of the law is a change of a row: the old row gets the day on which it ends (`until`), and a
new row the day on which it begins (`since`). A clock keeps the row of the day on which it started.

How time runs. Regulation (EEC, Euratom) No 1182/71 applies to periods in acts of the Union. A
period in hours runs through nights, Saturdays, Sundays and public holidays (Art. 3(3)); only a
period that is *not* in hours is prolonged to the next working day (Art. 3(4)). The hour of the
event does not count (Art. 3(1)), and a period of two days or more has at least two working days
(Art. 3(5)): 72 hours may therefore end later than 72 hours after the event. The clocks here take
nothing from these extensions: they show the earliest end, which is safe under every reading. A
period in months ends with the day of the same number (Art. 3(2)(c)), or with the month's last day;
the clock ends at the hour of the event, and does not go on to a working day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from shared.errors import InvalidInputError

type Moment = Literal[
    "vendor-aware", "tenant-noticed", "nis2-significant", "nis2-notified", "decision-due"
]
"""A moment from which a clock runs.

- `vendor-aware`: the vendor became aware of the incident.
- `tenant-noticed`: the tenant got the first version of its notice.
- `nis2-significant`: the vendor became aware that the incident is significant.
- `nis2-notified`: the vendor submitted the incident notification of the 72 hours.
- `decision-due`: the critical incident was recorded.
"""

type Party = Literal["vendor", "tenant"]
type Regime = Literal["gdpr", "nis2", "house"]


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: hours, or calendar months."""

    hours: int = 0
    months: int = 0

    def after(self, start: datetime) -> datetime:
        """Return the end of the period that begins at `start`.

        Raises InvalidInputError for an end outside the calendar.
        """
        try:
            if not self.months:
                return start + timedelta(hours=self.hours)
            utc = start.astimezone(UTC)
            months = utc.year * 12 + utc.month - 1 + self.months
            year, month = divmod(months, 12)
            last = _first_day(months + 1) - timedelta(days=1)
            return utc.replace(year=year, month=month + 1, day=min(utc.day, last.day))
        except (OverflowError, ValueError) as error:
            raise InvalidInputError(
                "breach-time-invalid",
                "The end of a deadline lies outside the calendar.",
                "Give the time at which the vendor became aware of the incident.",
            ) from error


def _first_day(months: int) -> date:
    """Return the first day of a month, counted from January of the year 0."""
    return date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A row of the law: who (`party`) must do what (`duty`), from what moment, within what period.

    `period` is None where the law gives no number ("without undue delay"); `aim` is then the number
    that the vendor holds itself to. The row is in force from `since` to before `until`.
    """

    name: str
    regime: Regime
    version: str
    article: str
    duty: str
    party: Party
    starts: Moment
    period: Period | None
    aim: Period | None = None
    since: date = date(2018, 5, 25)
    until: date | None = None

    def is_in_force(self, on: date) -> bool:
        """Tell whether the row is in force on a day."""
        return self.since <= on and (self.until is None or on < self.until)


_GDPR: Final = "Regulation (EU) 2016/679"
_NIS2: Final = "Directive (EU) 2022/2555"
# Directive (EU) 2022/2555, Art. 41: the Member States apply the measures from 18 October 2024.
_NIS2_SINCE: Final = date(2024, 10, 18)

DEADLINES: Final[Sequence[Deadline]] = (
    Deadline(
        "gdpr-processor-notice",
        "gdpr",
        _GDPR,
        "Art. 33(2)",
        "Tell each affected tenant without undue delay.",
        "vendor",
        "vendor-aware",
        period=None,
        aim=Period(hours=24),
    ),
    Deadline(
        "gdpr-authority",
        "gdpr",
        _GDPR,
        "Art. 33(1)",
        "Notify the supervisory authority, unless a risk to persons is unlikely.",
        "tenant",
        "tenant-noticed",
        period=Period(hours=72),
    ),
    Deadline(
        "nis2-early-warning",
        "nis2",
        _NIS2,
        "Art. 23(4)(a)",
        "Submit the early warning to the CSIRT or the competent authority.",
        "vendor",
        "nis2-significant",
        period=Period(hours=24),
        since=_NIS2_SINCE,
    ),
    Deadline(
        "nis2-notification",
        "nis2",
        _NIS2,
        "Art. 23(4)(b)",
        "Submit the incident notification to the CSIRT or the competent authority.",
        "vendor",
        "nis2-significant",
        period=Period(hours=72),
        since=_NIS2_SINCE,
    ),
    Deadline(
        "nis2-final-report",
        "nis2",
        _NIS2,
        "Art. 23(4)(d)",
        "Submit the final report; while the incident lasts, a progress report.",
        "vendor",
        "nis2-notified",
        period=Period(months=1),
        since=_NIS2_SINCE,
    ),
    Deadline(
        "house-decision",
        "house",
        "1",
        "issue 13",
        "Decide whether the critical incident is a personal data breach.",
        "vendor",
        "decision-due",
        period=Period(hours=12),
    ),
)
"""The deadlines. A row that is no longer in force stays, for the clocks that started under it."""


type ClockState = Literal["not-started", "running", "overdue", "met", "late"]


@dataclass(frozen=True, slots=True)
class BreachClock:
    """A clock: a deadline with its start, its end, and the time at which the duty was done.

    `due_at` is None before the start. `left` is the time until `due_at`, or the time beyond it,
    below zero; None for a clock that does not run.
    """

    deadline: Deadline
    state: ClockState
    started_at: datetime | None
    due_at: datetime | None
    done_at: datetime | None
    left: timedelta | None


def clocks(
    party: Party,
    started: Mapping[Moment, datetime | None],
    done: Mapping[str, datetime | None],
    now: datetime,
    *,
    deadlines: Sequence[Deadline] = DEADLINES,
) -> list[BreachClock]:
    """Return the clocks of a party: the rows in force on the day of each start.

    `started` has the time of each moment that has come, `done` the time at which the duty of a row
    was done, by the row's name. A clock that has not started shows the row in force now.
    """
    found = []
    for deadline in deadlines:
        start = started.get(deadline.starts)
        day = (start or now).astimezone(UTC).date()
        if deadline.party == party and deadline.is_in_force(day):
            found.append(_clock(deadline, start, done.get(deadline.name), now))
    return found


def _clock(
    deadline: Deadline, start: datetime | None, done: datetime | None, now: datetime
) -> BreachClock:
    period = deadline.period or deadline.aim
    if start is None or period is None:
        return BreachClock(deadline, "not-started", start, None, done, None)
    due = period.after(start)
    if done is not None:
        state: ClockState = "met" if done <= due else "late"
        return BreachClock(deadline, state, start, due, done, None)
    return BreachClock(
        deadline, "running" if now <= due else "overdue", start, due, None, due - now
    )
