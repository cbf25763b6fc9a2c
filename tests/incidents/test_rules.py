"""The identity of an incident, and the message that opens the incident."""

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest

from shared.incidents.rules import incident_id, incident_message
from shared.messages.contracts import IncidentOpened

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
INCIDENT = IncidentOpened(
    kind="backup.missed",
    severity="critical",
    summary="No backup of the item completed in time.",
    resource="backup-audits/2026-11-23/A1#films",
)


def test_the_id_is_the_start_of_a_hash_over_kind_tenant_resource_and_span():
    parts = "backup.missed\n\nbackup-audits/2026-11-23/A1#films\n2026-11-23"
    expected = hashlib.sha256(parts.encode()).hexdigest()
    assert incident_id(INCIDENT, "2026-11-23") == expected[:32]


@pytest.mark.parametrize(
    ("change", "once"),
    [
        ({"kind": "backup.failed"}, "2026-11-23"),
        ({"tenant": "acme"}, "2026-11-23"),
        ({"resource": "backup-audits/2026-11-23/A1#photos"}, "2026-11-23"),
        ({}, "2026-11-24"),
    ],
    ids=str,
)
def test_another_matter_or_span_is_another_incident(change, once):
    other = msgspec.structs.replace(INCIDENT, **change)
    assert incident_id(other, once) != incident_id(INCIDENT, "2026-11-23")


def test_a_summary_does_not_make_another_incident():
    reworded = msgspec.structs.replace(INCIDENT, summary="Another text.", severity="warning")
    assert incident_id(reworded, "x") == incident_id(INCIDENT, "x")


def test_the_message_goes_to_the_queue_of_incidents_under_the_id():
    message = incident_message(INCIDENT, "2026-11-23", NOW)
    assert (message.queue, message.id) == ("incidents", incident_id(INCIDENT, "2026-11-23"))
    event = msgspec.json.decode(message.body)
    assert (event["id"], event["data"]["kind"]) == (message.id, "backup.missed")
