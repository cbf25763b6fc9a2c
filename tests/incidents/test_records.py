"""Messages become records, and people handle the records, on the whole stack."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.incidents.conftest import cleared, opened
from tests.incidents.desks import Desk

NOW = datetime.now(UTC)
PROBLEM = "urn:vouchsafe:problem:"


@pytest.fixture
def desk(http, token):
    return Desk(http, token(roles="vendor.it_supervisor", oid="sam"))


async def test_an_incident_is_recorded_listed_read_and_acknowledged(desk, send, kind):
    await send(opened(kind, at=NOW, beganAt="2026-01-02T03:04:05Z"))
    listed = await desk.only(kind=kind)
    assert (listed["status"], listed["severity"], listed["owner"]) == ("open", "critical", None)
    record, etag = await desk.read(listed["id"])
    assert record["beganAt"] == "2026-01-02T03:04:05Z"
    assert record["summary"] == "Something broke."
    answer = await desk.put(record["id"], "acknowledgement", etag, {"text": "On my way."})
    assert answer.status_code == 200, answer.text
    after = answer.json()
    assert (after["status"], after["owner"]) == ("acknowledged", "sam")
    assert [(one["action"], one["text"]) for one in after["timeline"]] == [
        ("opened", "Something broke."),
        ("acknowledged", "On my way."),
    ]
    again = await desk.put(record["id"], "acknowledgement", etag)
    assert (again.status_code, again.json()["type"]) == (412, PROBLEM + "if-match-failed")
    again = await desk.put(record["id"], "acknowledgement", answer.headers["ETag"])
    assert (again.status_code, again.json()["type"]) == (409, PROBLEM + "incident-status-differs")


async def test_the_same_matter_again_is_an_occurrence_and_a_duplicate_is_nothing(desk, send, kind):
    first = opened(kind, at=NOW)
    await send(first, opened(kind, at=NOW + timedelta(seconds=1)))
    await desk.only(kind=kind, occurrences=2)
    # The queue's own detection of duplicates goes by the message's id; ours by the event's.
    await send({**first}, opened(kind, at=NOW + timedelta(seconds=2)))
    await desk.only(kind=kind, occurrences=3)


async def test_a_matter_that_is_over_closes_its_incident(desk, send, kind):
    await send(opened(kind, at=NOW))
    incident = await desk.only(kind=kind)
    await send(cleared(kind, at=NOW + timedelta(seconds=1)))
    for _ in range(100):
        record, _ = await desk.read(incident["id"])
        if record["status"] == "resolved":
            break
    assert (record["status"], record["resolution"]) == ("resolved", "It works again.")
