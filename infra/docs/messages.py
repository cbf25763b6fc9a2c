"""`reference/messages.md` and `reference/asyncapi.json`, from the AsyncAPI document."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from functions import documents
from infra.docs import markdown, schemas
from infra.docs.markdown import code, link
from infra.local.settings import ROOT

_CONFIGURATION: Final = ROOT / "infra/local/servicebus/Config.json"
_INTRODUCTION: Final = """\
Messages are [CloudEvents 1.0](https://github.com/cloudevents/spec) in structured JSON mode, of
content type `application/cloudevents+json`, on Service Bus queues. The same contracts as AsyncAPI
3.0 are [asyncapi.json](asyncapi.json), and the app serves them at `/api/asyncapi.json`.

Set the message id to the event's `id`: duplicate detection and the handlers go by the id. On a
queue with sessions, set the session id to the tenant's id. An attribute of the envelope that the
table below does not list is ignored, whatever its name, type and form: every extension, `subject`
and `dataschema`. An unknown field of `data` is refused, and so is a name that stands twice in an
object. Instead of `data`, `data_base64` may have the same JSON in base64. The content type of the
Service Bus message is not read.

An id is a short token: 1 to 128 of the characters `A-Za-z0-9._~:-`, the first a letter or a digit.
A ULID, a UUID and a number are such ids. An id with a slash, an at sign, a semicolon or a space,
such as Kafka's `partition:1/offset:9`, is refused: send a UUID instead. A text is one line without
control characters, and without characters that turn the direction of writing.

A message that can never succeed is copied to `parked-messages` with the code of a
[problem](problems.md) as `parked-reason`."""
_ENVELOPE: Final = "The attributes of the envelope are the same for every type:"


def asyncapi() -> bytes:
    """Return the AsyncAPI document as the app serves the document."""
    return documents.asyncapi()


def page() -> bytes:
    """Return the page: the queues, each message type, and the types of the fields."""
    document = json.loads(asyncapi())
    messages = document["components"]["messages"]
    queues = {
        name: queue
        for queue, channel in document["channels"].items()
        for name in channel["messages"]
    }
    components = document["components"]["schemas"]
    shared = sorted({name for schema in components.values() for name in schemas.references(schema)})
    envelope = next(iter(messages.values()))["payload"]
    attributes = markdown.table(
        ("attribute", "type", "needed"),
        (
            (code(name), _attribute(name, kind), "yes" if name in envelope["required"] else "no")
            for name, kind in envelope["properties"].items()
        ),
    )
    return markdown.page(
        "Messages",
        _INTRODUCTION,
        "## Queues",
        _queues(document["channels"]),
        "## Types",
        markdown.table(
            ("type", "queue", "says"),
            (
                (link(code(one["name"]), one["name"]), code(queues[name]), one["summary"])
                for name, one in messages.items()
            ),
        ),
        _ENVELOPE,
        attributes,
        *(_message(one, queues[name], components[name]) for name, one in messages.items()),
        "## Types of fields",
        *(schemas.section(name, components[name]) for name in shared),
    )


def _queues(channels: Mapping[str, Any]) -> str:
    declared = {queue["Name"]: queue["Properties"] for queue in _declared()}
    return markdown.table(
        ("queue", "sessions", "lock", "deliveries", "kept", "duplicates known for", "what comes"),
        (
            (
                code(name),
                "one a tenant" if declared[name]["RequiresSession"] else "no",
                code(declared[name]["LockDuration"]),
                str(declared[name]["MaxDeliveryCount"]),
                code(declared[name]["DefaultMessageTimeToLive"]),
                code(declared[name]["DuplicateDetectionHistoryTimeWindow"]),
                channel.get("description") or "Messages of ours, below.",
            )
            for name, channel in channels.items()
        ),
    )


def _declared() -> Iterator[Mapping[str, Any]]:
    """Yield the queues as the emulator's configuration declares them."""
    configuration = json.loads(_CONFIGURATION.read_text(encoding="utf-8"))
    for namespace in configuration["UserConfig"]["Namespaces"]:
        yield from namespace["Queues"]


def _message(message: Mapping[str, Any], queue: str, data: schemas.Schema) -> str:
    section = schemas.section(f"`{message['name']}`", {**data, "description": message["summary"]})
    return f"{section}\n\nQueue: `{queue}`."


def _attribute(name: str, kind: schemas.Schema) -> str:
    if name == "data":
        return "object, by type"
    if name == "type":
        return "the message's type"
    if "description" in kind:
        return str(kind["description"])
    if "const" in kind:
        return code(kind["const"])
    if isinstance(kind.get("type"), list):
        kind = {**kind, "type": " or ".join(kind["type"])}
    return schemas.words(kind)
