"""Messages in any order, storms, ends and returns: the rules of records."""

from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest

from shared.incidents.records.matters import (
    COMES_BACK_WITHIN,
    MOST_RESOURCES,
    STORM,
    STORM_WITHIN,
    Front,
    Matter,
    MatterMessage,
    Sorting,
)
from shared.incidents.records.rules import Draft
from shared.incidents.rules import front_id, matter_id
from shared.messages.contracts import IncidentCleared, IncidentOpened

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def opened(resource="r", **changed):
    given = {"kind": "k", "severity": "critical", "summary": "s", "resource": resource} | changed
    return IncidentOpened(**given)


def cleared(resource="r", **changed):
    return IncidentCleared(**({"kind": "k", "resource": resource, "reason": "fine"} | changed))


class Records:
    """The records of a kind, kept between deliveries as the table keeps the records."""

    def __init__(self):
        self.front = Front()
        self.matters = {}
        self.records = {}
        self.entries = {}
        self.number = count()

    def deliver(self, *messages, now=NOW):
        """Deliver (time, data) as one part of a batch."""
        named = [
            (matter_id(data), MatterMessage(f"m{next(self.number)}", at, data))
            for at, data in messages
        ]
        names = {name for name, _ in named} | {one.matter for one in self.front.recent}
        sorting = Sorting(
            self.front,
            {name: self.matters.get(name, Matter()) for name in names},
            {name: Draft(one, one, "e") for name, one in self.records.items()},
            lambda: f"i{next(self.number)}",
        )
        sorting.apply(named, now)
        self.front, self.matters = sorting.front, self.matters | sorting.matters
        for name, draft in sorting.drafts.items():
            self.records[name] = draft.incident
            self.entries.setdefault(name, []).extend(draft.entries)
        assert set(sorting.taken.values()) <= {*self.records, ""}
        return self

    @property
    def only(self):
        [record] = self.records.values()
        return record

    def set(self, **changes):
        """Change the only record as people do."""
        self.records[self.only.id] = msgspec.structs.replace(self.only, **changes)


def test_an_opening_makes_a_record_with_the_times():
    began = NOW - timedelta(days=1)
    records = Records().deliver((NOW - MINUTE, opened(began_at=began)))
    record = records.only
    assert (record.began_at, record.aware_at, record.opened_at) == (began, NOW - MINUTE, NOW)
    assert (record.status, record.occurrences, record.resources) == ("open", 1, ("r",))


def test_occurrences_out_of_order_count_and_keep_the_earliest_beginning():
    records = Records().deliver((NOW, opened(summary="newest")))
    records.deliver((NOW - MINUTE, opened(summary="older")))
    record = records.only
    assert (record.occurrences, record.summary) == (2, "newest")
    assert (record.began_at, record.last_occurred_at) == (NOW - MINUTE, NOW)


def test_a_warning_that_becomes_critical_escalates_from_then_on_and_stays_critical():
    records = Records().deliver((NOW, opened(severity="warning")), now=NOW)
    later = NOW + timedelta(hours=3)
    records.deliver((later, opened()), now=later)
    records.deliver((later + MINUTE, opened(severity="warning")), now=later + MINUTE)
    assert (records.only.severity, records.only.escalates_from) == ("critical", later)


def test_a_drill_is_never_an_occurrence_of_an_incident():
    records = Records().deliver((NOW, opened()))
    assert matter_id(opened()) != matter_id(opened(is_drill=True))
    assert front_id(opened()) != front_id(opened(is_drill=True))
    assert matter_id(cleared()) == matter_id(opened())
    assert records.only.is_drill is False


def test_an_end_resolves_with_the_reason():
    records = Records().deliver((NOW, opened()))
    records.deliver((NOW + MINUTE, cleared()), now=NOW + MINUTE)
    assert (records.only.status, records.only.resolution) == ("resolved", "fine")


@pytest.mark.parametrize("status", ["acknowledged", "contained"])
def test_an_end_leaves_what_a_person_has_taken_on_and_tells_so_once(status):
    records = Records().deliver((NOW, opened()))
    records.set(status=status)
    for minutes in (1, 2):
        records.deliver((NOW + minutes * MINUTE, cleared()), now=NOW + minutes * MINUTE)
    assert (records.only.status, records.only.resolution) == (status, "fine")
    told = [one.action for one in records.entries[records.only.id]]
    assert told == ["opened", "over by itself"]
    records.deliver((NOW + 3 * MINUTE, opened()), now=NOW + 3 * MINUTE)
    assert (records.only.status, records.only.resolution) == (status, None)


def test_an_end_that_comes_before_its_opening_resolves_the_opening():
    records = Records().deliver((NOW, cleared()))
    assert records.records == {}
    records.deliver((NOW - MINUTE, opened()))
    assert (records.only.status, records.only.resolution) == ("resolved", "fine")


def test_an_end_older_than_the_opening_resolves_nothing():
    records = Records().deliver((NOW, opened()))
    records.deliver((NOW - MINUTE, cleared()))
    assert records.only.status == "open"
    records = Records().deliver((NOW - MINUTE, cleared()), (NOW, opened()))
    assert records.only.status == "open"


def test_opening_and_end_in_one_batch_in_the_wrong_order():
    records = Records().deliver((NOW, cleared()), (NOW - MINUTE, opened()))
    assert records.only.status == "resolved"


def test_a_matter_that_comes_back_opens_the_record_again():
    records = Records().deliver((NOW, opened()))
    records.deliver((NOW + MINUTE, cleared()), now=NOW + MINUTE)
    records.set(told=("critical-0",))
    back = NOW + timedelta(days=1)
    records.deliver((back, opened()), now=back)
    record = records.only
    assert (record.status, record.occurrences, record.round, record.told) == ("open", 2, 2, ())
    assert (record.resolved_at, record.resolution, record.escalates_from) == (None, None, back)


def test_a_late_occurrence_of_a_resolved_incident_opens_nothing():
    records = Records().deliver((NOW, opened()))
    end = NOW + timedelta(hours=1)
    records.deliver((end, cleared()), now=end)
    records.deliver((NOW + MINUTE, opened()), now=end + MINUTE)
    assert (records.only.status, records.only.occurrences) == ("resolved", 2)


@pytest.mark.parametrize(
    ("after", "status"),
    [(COMES_BACK_WITHIN + MINUTE, "resolved"), (timedelta(hours=1), "reviewed")],
)
def test_a_matter_that_comes_back_late_or_after_the_review_is_another_incident(after, status):
    records = Records().deliver((NOW, opened()))
    first = records.only.id
    records.set(status=status, resolved_at=NOW)
    back = NOW + after
    records.deliver((back, opened()), now=back)
    second = next(one for one in records.records.values() if one.id != first)
    assert (second.status, second.follows, second.occurrences) == ("open", first, 1)
    records.deliver((back + MINUTE, opened()), now=back + MINUTE)
    assert len(records.records) == 2


def test_a_clock_far_ahead_hides_no_later_end():
    records = Records().deliver((datetime(9998, 1, 1, tzinfo=UTC), opened()))
    assert records.only.aware_at == NOW
    later = NOW + timedelta(hours=2)
    records.deliver((later, cleared()), now=later)
    assert records.only.status == "resolved"


def storm(size, *, each=1, gap=timedelta(seconds=1)):
    """Deliver openings of as many resources, in parts."""
    records = Records()
    messages = [(NOW + number * gap, opened(f"r{number}")) for number in range(size)]
    for start in range(0, size, each):
        part = messages[start : start + each]
        records.deliver(*part, now=part[-1][0])
    return records


def test_a_few_matters_are_a_few_incidents():
    assert len(storm(STORM - 1).records) == STORM - 1
    assert len(storm(STORM * 2, gap=STORM_WITHIN).records) == STORM * 2


@pytest.mark.parametrize("each", [1, 2, 3, 7, 200])
def test_a_storm_is_one_incident_with_a_count_and_a_sample(each):
    records = storm(200, each=each)
    [record] = [one for one in records.records.values() if one.status == "open"]
    assert (record.occurrences, record.resource_count, record.open_resources) == (200, 200, 200)
    assert record.resources == tuple(f"r{number}" for number in range(MOST_RESOURCES))
    merged = [one for one in records.records.values() if one.id != record.id]
    assert len(merged) <= STORM - 2
    assert {(one.status, one.merged_into) for one in merged} <= {("resolved", record.id)}
    if each >= STORM:
        assert merged == []


def test_a_storm_ends_when_each_of_its_matters_has_ended():
    records = storm(20, each=3)
    [record] = [one for one in records.records.values() if one.status == "open"]
    end = NOW + timedelta(hours=1)
    for number in range(20):
        assert records.records[record.id].status == "open"
        for _ in range(2):
            records.deliver((end, cleared(f"r{number}")), now=end)
    assert records.records[record.id].status == "resolved"
    records.deliver((end + MINUTE, opened("r7")), now=end + MINUTE)
    record = records.records[record.id]
    assert (record.status, record.open_resources, record.resource_count) == ("open", 1, 20)


def test_a_storm_leaves_incidents_that_people_have_taken_on():
    records = Records()
    for number in range(STORM - 1):
        records.deliver((NOW, opened(f"r{number}")))
    taken = next(iter(records.records))
    records.records[taken] = msgspec.structs.replace(
        records.records[taken], status="acknowledged", owner="sam"
    )
    records.deliver((NOW, opened("another")))
    assert records.records[taken].merged_into is None
    [big] = [one for one in records.records.values() if one.status == "open"]
    assert big.resource_count == STORM - 1


def test_a_storm_is_of_one_kind_and_one_tenant():
    fronts = {front_id(opened(kind=kind, tenant=tenant)) for kind in "ab" for tenant in ("x", None)}
    assert len(fronts) == 4


def test_a_storm_is_as_critical_and_as_old_as_the_worst_that_it_takes_in():
    records = Records()
    records.deliver((NOW, opened("first", severity="warning")))
    early = NOW - timedelta(minutes=5)
    records.deliver((early, opened("early", severity="critical")))
    for number in range(STORM):
        records.deliver((NOW, opened(f"r{number}", severity="warning")))
    [storm] = [one for one in records.records.values() if one.status == "open"]
    assert (storm.severity, storm.began_at, storm.aware_at) == ("critical", early, early)


def test_a_storm_is_over_after_a_pause_and_a_later_matter_is_another_incident():
    records = storm(STORM + 5, each=STORM + 5)
    late = NOW + timedelta(hours=1)
    records.deliver((late, opened("late")), now=late)
    assert sorted(one.resource_count for one in records.records.values()) == [1, STORM + 5]


def test_a_second_critical_occurrence_begins_no_new_escalation():
    records = Records().deliver((NOW, opened()))
    records.deliver((NOW + MINUTE, opened()), now=NOW + MINUTE)
    assert records.only.escalates_from == NOW
    assert [one.action for one in records.entries[records.only.id]] == ["opened"]


def test_the_app_is_aware_since_the_earliest_message():
    records = Records().deliver((NOW, opened()), (NOW + MINUTE, opened()), now=NOW + MINUTE)
    assert records.only.aware_at == NOW


def test_a_late_occurrence_of_a_reviewed_incident_makes_no_other():
    records = Records().deliver((NOW, opened()))
    end = NOW + timedelta(hours=1)
    records.set(status="reviewed", resolved_at=end)
    records.deliver((NOW + MINUTE, opened()), now=end + MINUTE)
    records.deliver((end, opened()), now=end + MINUTE)
    assert (records.only.status, records.only.occurrences) == ("reviewed", 3)


def test_an_end_at_the_time_of_the_opening_is_the_end():
    records = Records().deliver((NOW, opened()), (NOW, cleared()))
    assert records.only.status == "resolved"
    records = Records().deliver((NOW, cleared()))
    records.deliver((NOW, opened()))
    assert records.only.status == "resolved"


def test_an_older_end_changes_nothing_after_a_newer_end():
    records = Records().deliver((NOW, opened()))
    for minutes, reason in ((5, "newer"), (2, "older")):
        at = NOW + minutes * MINUTE
        records.deliver((at, cleared(reason=reason)), now=NOW + 6 * MINUTE)
    records.deliver((NOW + 4 * MINUTE, opened()), now=NOW + 7 * MINUTE)
    assert (records.only.status, records.only.resolution) == ("resolved", "newer")
