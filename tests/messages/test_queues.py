"""The queues that the app uses are the queues that are declared, and none else."""

import json
from pathlib import Path

from shared.catalogue import BREACH_STEPS_QUEUE, QUEUES, REREADS_QUEUE, RESCANS_QUEUE

CONFIG = Path(__file__).parents[2] / "infra/local/servicebus/Config.json"


def declared():
    namespace = json.loads(CONFIG.read_text())["UserConfig"]["Namespaces"][0]
    return {queue["Name"]: queue["Properties"] for queue in namespace["Queues"]}


def test_every_queue_is_declared_and_used():
    assert set(declared()) == {queue.name for queue in QUEUES}


def test_sessions_are_where_the_app_expects_them():
    with_sessions = {name for name, queue in declared().items() if queue["RequiresSession"]}
    assert with_sessions == {queue.name for queue in QUEUES if queue.sessions}


def test_every_queue_finds_duplicates_and_gives_up_in_the_end():
    runs = {BREACH_STEPS_QUEUE.name, REREADS_QUEUE.name, RESCANS_QUEUE.name}
    for name, queue in declared().items():
        assert queue["RequiresDuplicateDetection"], name
        assert queue["MaxDeliveryCount"] == 10, name
        # A timer sends an expired message of a run again.
        assert queue["DeadLetteringOnMessageExpiration"] == (name not in runs), name
