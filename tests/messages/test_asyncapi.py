"""The AsyncAPI document: whole, and each message valid under the schema that it gives."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from functions.documents import asyncapi
from shared.catalogue import QUEUES
from shared.messages import encode
from shared.messages.asyncapi import document
from shared.messages.contracts import CONTRACTS, QUEUE_OF, Actor, ConsentRevoked, IncidentOpened

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MESSAGES = [
    IncidentOpened(kind="backup.missed", severity="critical", summary="None ran.", resource="a"),
    ConsentRevoked(
        grant_id="g", tenant="acme", revoked_by=Actor(id="m", role="r", organisation="Acme")
    ),
]


def validator(name: str) -> Draft202012Validator:
    """Of the payload of one message."""
    resource = Resource(contents=document(), specification=DRAFT202012)
    return Draft202012Validator(
        {"$ref": f"urn:document#/components/messages/{name}/payload"},
        registry=Registry().with_resource("urn:document", resource),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def test_every_contract_travels_on_one_queue():
    carried = {
        (queue, document()["components"]["messages"][message]["name"])
        for queue, channel in document()["channels"].items()
        for message in channel["messages"]
    }
    assert carried == {(QUEUE_OF[contract], name) for name, contract in CONTRACTS.items()}


def test_every_queue_is_a_channel():
    channels = document()["channels"]
    assert list(channels) == [queue.name for queue in QUEUES]
    with_sessions = {name for name, channel in channels.items() if "session" in str(channel)}
    assert with_sessions == {queue.name for queue in QUEUES if queue.sessions}


@pytest.mark.parametrize("data", MESSAGES, ids=lambda data: type(data).__name__)
def test_what_we_send_is_what_the_document_says(data):
    sent = encode(QUEUE_OF[type(data)], data, identifier="i", now=NOW)
    payload = msgspec.json.decode(sent.body)
    checked = validator(type(data).__name__)
    checked.validate(payload)
    assert not checked.is_valid({**payload, "type": "another"})
    assert checked.is_valid({**payload, "unknown": 1, "datacontenttype": "text/json"})
    assert not checked.is_valid({**payload, "data": {**payload["data"], "unknown": 1}})
    assert not checked.is_valid({**payload, "datacontenttype": "text/plain"})
    assert not checked.is_valid({**payload, "data": {}})


async def test_the_app_serves_the_document(http):
    answer = await http.get("/api/asyncapi.json")
    assert answer.status_code == 200
    assert answer.content == asyncapi()
    assert json.loads(answer.content)["asyncapi"] == "3.0.0"
