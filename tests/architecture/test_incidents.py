"""The incidents have one identity: no module but that of incidents makes their messages."""

from pathlib import Path

from shared.catalogue import INCIDENTS_QUEUE

SHARED = Path(__file__).parents[2] / "shared"
# The name of the queue and the contract of its messages; and the only sender.
ALLOWED = {"catalogue.py", "messages/contracts/incidents.py", "incidents/rules.py"}


def test_incidents_alone_sends_to_the_queue_of_incidents():
    found = {
        str(file.relative_to(SHARED))
        for file in SHARED.rglob("*.py")
        if "INCIDENTS_QUEUE" in (text := file.read_text(encoding="utf-8"))
        or f'"{INCIDENTS_QUEUE.name}"' in text
    }
    assert found == ALLOWED
