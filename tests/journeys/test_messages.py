"""Messages as strangers send them: none holds up another, and each that is refused is parked."""

import asyncio
import base64
import json
import uuid
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import MessageSizeExceededError
from proton import (
    UNDESCRIBED,
    Array,
    Data,
    Described,
    Message,
    char,
    decimal32,
    decimal64,
    decimal128,
    symbol,
    timestamp,
    ulong,
)
from proton.utils import BlockingConnection

from infra.local.servicebus.sas import KEY, KEY_NAME
from tests.journeys.portal import Portal, eventually
from tests.queues import peeked

MIA = {"id": "mia", "role": "tenant.dam_manager", "organisation": "Acme"}
SVEN = {"id": "sven", "role": "vendor.support", "organisation": "vendor"}
LIMIT = 256 * 1024

# A value of each AMQP type that is more than a text, a number or a truth value.
ODD = {
    "map": {"a": {"b": [1, None]}},
    "numbered map": {ulong(3): 1},
    "list": [1, [2, "x"]],
    "array": Array(UNDESCRIBED, Data.CHAR, char("a")),
    "described": Described(symbol("x:y"), "z"),
    "described map": Described(symbol("x:y"), {"z": 1}),
    "char": char("\N{GRINNING FACE}"),
    "decimal32": decimal32(7),
    "decimal64": decimal64(7),
    "decimal128": decimal128(b"\x30" * 16),
    "symbol": symbol("s"),
    "timestamp": timestamp(2**62),
    "uuid": uuid.UUID(int=7),
    "binary": b"\xff\x00\xfe",
    "ulong": ulong(2**64 - 1),
    "nan": float("nan"),
    "null": None,
}


@pytest.fixture
async def portal(stack):
    async with Portal(stack, f"messages-{uuid.uuid4().hex[:12]}") as portal:
        yield portal


def event(kind, data, **changed):
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/strangers",
        "type": f"vouchsafe.{kind}.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": data,
    } | changed


def access(tenant, resource):
    data = {"tenant": tenant, "actor": SVEN, "action": "t.sent", "resource": resource}
    return json.dumps(event("access.recorded", data | {"outcome": "allowed"})).encode()


def grant(tenant, identifier, /, **changed):
    terms = {"pathPrefix": "", "operations": ["read"], "purpose": "p", "ticket": "t"}
    terms |= {"engineer": "sven", "expiresAt": "2100-01-01T00:00:00Z", "grantedBy": MIA}
    data = {"tenant": tenant, "grantId": identifier} | terms | changed
    return json.dumps(event("consent.granted", data)).encode()


def revocation(tenant, identifier):
    data = {"tenant": tenant, "grantId": identifier, "revokedBy": MIA}
    return json.dumps(event("consent.revoked", data)).encode()


def send_typed(stack, queue, messages):
    """Send with every AMQP type, some of which the SDK cannot send."""
    port = int(stack.info["endpoints"]["service_bus"].rpartition(":")[2])
    login = {"user": KEY_NAME, "password": KEY, "allowed_mechs": "PLAIN"}
    url = f"amqp://127.0.0.1:{port}"
    connection = BlockingConnection(url, timeout=60, allow_insecure_mechs=True, **login)
    try:
        sender = connection.create_sender(queue)
        for message in messages:
            sender.send(message)
    finally:
        connection.close()


async def recorded(portal):
    return {entry["resource"] for entry in await portal.log() if entry["action"] == "t.sent"}


async def parked(bus, mark):
    """The properties of the parked messages whose id or body has `mark`, by the message's id."""
    found = {}
    for message in await peeked(bus, "parked-messages"):
        properties = {
            name.decode(): value.decode() if isinstance(value, bytes) else value
            for name, value in message.application_properties.items()
        }
        body = b"".join(message.body)
        if mark in properties["parked-message-id"] or mark.encode() in body:
            found[properties["parked-message-id"]] = properties | {"body": body}
    return found


# What CloudEvents 1.0 lets a sender add to an event, or write otherwise, that is the same event.
SAME_EVENT = {
    "trace": {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    "partition": {"partitionkey": "acme/1", "sequence": "0001", "sequencetype": "Integer"},
    "types": {"aboolean": True, "aninteger": -7, "atime": "2026-11-28T12:00:00Z", "anull": None},
    "names": {"Upper": "a", "with-hyphen": 1, "\u0416": "a", "ID": "other", "Data": {}},
    "schema": {"dataschema": "https://example.org/schema.json"},
    "no schema": {"dataschema": None, "subject": None, "datacontenttype": None},
    "subject": {"subject": "grants/\u0416\n" * 200},
    "correlation": {"correlationid": "urn:portal/7 \u0416"},
    "cloudevents": {"datacontenttype": "application/cloudevents+json"},
    "vendor": {"datacontenttype": "application/vnd.x+json; charset=utf-8"},
    "text": {"datacontenttype": "TEXT/JSON"},
}
CONTENT_TYPES = (
    *(None, "application/json", "application/cloudevents+json; charset=UTF-8", "text/plain", "?"),
)


async def test_a_revocation_with_any_attribute_takes_the_grant_back(bus, portal):
    """CloudEvents 1.0.2, section 3.3. What is unknown inside `data` is still refused."""

    async def send(body, content_type=None):
        more = {"session_id": portal.tenant, "message_id": str(uuid.uuid4())}
        message = ServiceBusMessage(json.dumps(body), content_type=content_type, **more)
        async with bus.get_queue_sender("consent-grants") as sender:
            await sender.send_messages(message)

    def revoking(identifier, **more):
        body = json.loads(revocation(portal.tenant, identifier))
        return body | {"source": f"/strangers/{portal.tenant}"} | more

    async def live():
        listed = (await portal.mine("GET", "consent-grants")).json()
        return {one["id"] for one in listed["consentGrants"] if one["status"] == "active"}

    changes = dict(enumerate([*SAME_EVENT.values(), *({} for _ in CONTENT_TYPES)]))
    for identifier in [*(f"g-{number}" for number in changes), "g-base64", "kept"]:
        await send(json.loads(grant(portal.tenant, identifier)))
    for number, change in changes.items():
        content_type = CONTENT_TYPES[number % len(CONTENT_TYPES)]
        await send(revoking(f"g-{number}", **change), content_type)
    encoded = revoking("g-base64")
    data = json.dumps(encoded.pop("data")).encode()
    await send(encoded | {"data_base64": base64.b64encode(data).decode()})
    refused = revoking("kept")
    refused["data"]["traceparent"] = "00-1"
    await send(refused)
    await send(json.loads(grant(portal.tenant, "last")))
    assert await eventually(live, lambda found: "last" in found) == {"kept", "last"}
    found = await eventually(lambda: parked(bus, portal.tenant), len)
    assert [one["parked-reason"] for one in found.values()] == ["message-data-invalid"]


async def test_a_property_of_any_type_holds_up_nobody(stack, bus, portal):
    def typed(name, **more):
        body = access(portal.tenant, name)
        return Message(id=str(uuid.uuid4()), body=body, inferred=True, **more)

    odd = [typed(f"property {name}", properties={"x": value}) for name, value in ODD.items()]
    odd += [
        typed(f"annotation {name}", annotations={symbol("x-y"): value})
        for name, value in ODD.items()
    ]
    good = [typed(f"good {number}") for number in range(5)]
    await asyncio.to_thread(send_typed, stack, "access-events", [*odd, *good])
    sent = {json.loads(one.body)["data"]["resource"] for one in [*odd, *good]}
    assert await eventually(lambda: recorded(portal), lambda found: found == sent) == sent


async def test_a_property_of_any_type_is_in_the_parked_copy(stack, bus, portal):
    mark = uuid.uuid4().hex[:12]
    bad = [
        Message(id=f"{mark} {name}", body=b"{}", inferred=True, properties={"x": value, "n": 2**40})
        for name, value in ODD.items()
    ]
    good = Message(body=access(portal.tenant, "good"), inferred=True)
    await asyncio.to_thread(send_typed, stack, "access-events", [*bad, good])
    found = await eventually(lambda: parked(bus, mark), lambda found: len(found) == len(ODD))
    for properties in found.values():
        assert properties["parked-reason"] == "message-invalid"
        assert properties["x"]
        assert properties["n"] == str(2**40)
        assert "n" in properties["parked-properties-as-text"]
    assert json.loads(found[f"{mark} map"]["x"]) == ODD["map"]
    assert base64.b64decode(found[f"{mark} binary"]["x"]) == ODD["binary"]
    assert found[f"{mark} uuid"]["x"] == str(ODD["uuid"])
    await eventually(lambda: recorded(portal), lambda found: found == {"good"})


async def test_a_refused_message_as_large_as_the_queue_takes_harms_no_other(bus, blobs, portal):
    mark = uuid.uuid4().hex[:12]
    async with bus.get_queue_sender("access-events") as sender:
        batch = await sender.create_message_batch()
        for number in range(5):
            batch.add_message(ServiceBusMessage(access(portal.tenant, f"good {number}")))
        for size in range(LIMIT, LIMIT - 1000, -16):
            body = (mark + "x" * (size - len(mark))).encode()
            try:
                await sender.send_messages(ServiceBusMessage(body, message_id=mark))
            except MessageSizeExceededError:
                continue
            break
        await sender.send_messages(batch)
    await eventually(lambda: recorded(portal), lambda found: len(found) == 5)
    found = await eventually(lambda: parked(bus, mark), bool)
    copy = found[mark]
    assert copy["parked-body-bytes"] == len(body)
    assert body.startswith(copy["body"])
    container, _, name = copy["parked-blob"].partition("/")
    blob = await blobs.get_blob_client(container, name).download_blob()
    whole = json.loads(await blob.readall())
    assert base64.b64decode(whole["body"]) == body
    assert (whole["queue"], whole["messageId"]) == ("access-events", mark)


ODD_GRANTS = {
    "cyrillic id": {"grantId": "\u0416" * 128},
    "emoji id": {"grantId": "\N{GRINNING FACE}" * 128},
    "slash in id": {"grantId": "a/b"},
    "emoji engineer": {"engineer": "\N{GRINNING FACE}" * 128},
    "cyrillic grantor": {"grantedBy": MIA | {"id": "\u0416" * 128}},
    "control purpose": {"purpose": "a\0\x1b[31m"},
    "turned purpose": {"purpose": "\u202egpj"},
    "noncharacter prefix": {"pathPrefix": "\uffff"},
    "long prefix": {"pathPrefix": "a" * 1025},
    "year 1": {"expiresAt": "0001-01-01T00:00:00+14:00"},
    "year 9999": {"expiresAt": "9999-12-31T23:59:59-14:00"},
    "leap second": {"expiresAt": "2100-01-01T00:00:60Z"},
    "number": {"expiresAt": 1e300},
    "many operations": {"operations": ["write"] * 20_000},
    "other tenant": {"tenant": "nobody-here"},
}


async def test_no_grant_blocks_the_revocations_behind_it(bus, portal):
    odd = [grant(portal.tenant, f"odd-{n}", **more) for n, more in enumerate(ODD_GRANTS.values())]
    good = grant(portal.tenant, "good")
    odd += [
        b"",
        b"\xff\xfe\0",
        good.decode().encode("utf-16"),
        b"[" * 50_000,
        good.replace(b'"good"', b"NaN"),
        good.replace(b'"good"', b"9" * 10_000),
        good.replace(b'"good"', b'"\\ud83d"'),
        good.replace(b'"p"', b"[" * 20_000 + b"]" * 20_000),
        good.replace(b'"ticket"', b'"ticket": "u", "ticket"'),
        good + b"{}",
    ]
    mark = uuid.uuid4().hex[:12]
    async with bus.get_queue_sender("consent-grants") as sender:
        for number, body in enumerate([good, *odd, revocation(portal.tenant, "good")]):
            session, identifier = portal.tenant, f"{mark} {number}"
            one = ServiceBusMessage(body, session_id=session, message_id=identifier)
            await sender.send_messages(one)

    async def status():
        return (await portal.mine("GET", "consent-grants/good")).json().get("status")

    await eventually(status, lambda found: found == "revoked")
    found = await eventually(lambda: parked(bus, mark), lambda found: len(found) >= len(odd))
    assert {one["parked-delivery-count"] for one in found.values()} == {1}
    assert len(found) == len(odd)


async def test_a_body_that_no_function_can_get_goes_its_own_way(bus, portal):
    """A sequence, and a value that is no text, reach no function; the host lets each go back alone.

    A value that is text is a body as any other.
    """
    bodies = (
        {"value_body": {"a": 1}},
        {"value_body": None},
        {"sequence_body": [[1, 2]]},
        {"value_body": access(portal.tenant, "text").decode()},
    )
    async with bus.get_queue_sender("access-events") as sender:
        for number, body in enumerate(bodies):
            await sender.send_messages(AmqpAnnotatedMessage(**body))
            await sender.send_messages(ServiceBusMessage(access(portal.tenant, f"after {number}")))
    expected = {"text", *(f"after {number}" for number in range(len(bodies)))}
    await eventually(lambda: recorded(portal), lambda found: found == expected)


async def test_a_message_in_another_tenants_session_is_parked(bus, portal):
    mark = uuid.uuid4().hex[:12]
    body = grant(portal.tenant, "elsewhere")
    async with bus.get_queue_sender("consent-grants") as sender:
        one = ServiceBusMessage(body, session_id=f"other-{mark}", message_id=mark)
        await sender.send_messages(one)
    found = await eventually(lambda: parked(bus, mark), bool)
    assert found[mark]["parked-reason"] == "session-differs"
