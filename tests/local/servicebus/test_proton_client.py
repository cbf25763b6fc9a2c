"""A client from a different vendor: Qpid Proton's client, with a policy's name and key.

Source: "AMQP 1.0 in Azure Service Bus protocol guide"
(learn.microsoft.com/azure/service-bus-messaging): SASL PLAIN, links, settlement, the session
filter.
"""

import uuid
from collections.abc import Callable, Iterator

import pytest
from proton import (
    UNDESCRIBED,
    Array,
    Data,
    Described,
    Message,
    byte,
    char,
    decimal32,
    float32,
    int32,
    short,
    symbol,
    timestamp,
    ubyte,
    uint,
    ulong,
    ushort,
)
from proton import ConnectionException as Refused
from proton.reactor import Filter
from proton.utils import BlockingConnection, LinkDetached, SendException

from infra.local.servicebus.sas import KEY, KEY_NAME
from tests.local.servicebus.test_sdk_drops import port_of

# A test waits this long only for an answer that never comes.
TIMEOUT = 180
NewQueue = Callable[[str], str]
SESSION_FILTER = symbol("com.microsoft:session-filter")


def connect(broker: str, **login: object) -> BlockingConnection:
    given = {"user": KEY_NAME, "password": KEY, "allowed_mechs": "PLAIN"} | login
    return BlockingConnection(
        f"amqp://127.0.0.1:{port_of(broker)}",
        timeout=TIMEOUT,
        allow_insecure_mechs=True,
        heartbeat=TIMEOUT,
        **given,
    )


@pytest.fixture
def connection(broker: str) -> Iterator[BlockingConnection]:
    opened = connect(broker)
    yield opened
    opened.close()


def test_messages_come_and_go(connection: BlockingConnection, new_queue: NewQueue) -> None:
    queue = new_queue("plain")
    sender = connection.create_sender(queue)
    for name in ("accepted", "released", "rejected"):
        sender.send(Message(id=name, body={"of": name}, properties={"n": 1}))
    receiver = connection.create_receiver(queue, credit=1)
    first = receiver.receive(timeout=TIMEOUT)
    assert (first.id, first.body, first.properties) == ("accepted", {"of": "accepted"}, {"n": 1})
    assert first.annotations["x-opt-sequence-number"] == 1
    receiver.accept()
    assert receiver.receive(timeout=TIMEOUT).id == "released"
    receiver.release(delivered=True)
    again = receiver.receive(timeout=TIMEOUT)
    assert (again.id, again.delivery_count) == ("released", 1)
    receiver.accept()
    assert receiver.receive(timeout=TIMEOUT).id == "rejected"
    receiver.reject()
    dead = connection.create_receiver(f"{queue}/$DeadLetterQueue", credit=1)
    assert dead.receive(timeout=TIMEOUT).id == "rejected"
    dead.accept()


# Every simple type of OASIS AMQP 1.0, part 1, section 1.6, at its widest.
SIMPLE = {
    "null": None,
    "boolean": True,
    "ubyte": ubyte(255),
    "ushort": ushort(2**16 - 1),
    "uint": uint(2**32 - 1),
    "ulong": ulong(2**64 - 1),
    "byte": byte(-128),
    "short": short(-(2**15)),
    "int": int32(-(2**31)),
    "long": -(2**63),
    "float": float32(1.5),
    "double": -0.0,
    "decimal32": decimal32(7),
    "char": char("\N{GRINNING FACE}"),
    "timestamp": timestamp(-1),
    "uuid": uuid.UUID(int=2**128 - 1),
    "binary": bytes(range(256)),
    "string": "Größe \0",
    "symbol": symbol("s"),
    "": "a name of no length",
}


def test_every_type_comes_through_as_it_was_sent(
    connection: BlockingConnection, new_queue: NewQueue
) -> None:
    """ "AMQP 1.0 in Azure Service Bus protocol guide", messages: the bare message is immutable.

    The message has types that the SDK cannot send. Encoded again, each value has the same bytes.
    """
    compound = {
        "described": Described(symbol("x:y"), {"of": [ubyte(1), {ulong(2): None}]}),
        "array": Array(UNDESCRIBED, Data.USHORT, ushort(1), ushort(2)),
        "map": {"in": {"a": {timestamp(5): SIMPLE["uuid"]}}},
    }
    sent = Message(
        id=SIMPLE["uuid"],
        correlation_id=ulong(5),
        user_id=b"\0\xff",
        content_encoding="e",
        reply_to_group_id="g",
        group_sequence=7,
        properties=SIMPLE,
        body=compound | SIMPLE,
    )
    queue = new_queue("plain")
    connection.create_sender(queue).send(sent)
    receiver = connection.create_receiver(queue, credit=1)
    received = receiver.receive(timeout=TIMEOUT)
    receiver.accept()
    # The header and the annotations belong to the broker.
    received.annotations = None
    received.ttl = sent.ttl
    assert received.encode() == sent.encode()


def test_a_session_is_asked_for_by_a_described_filter(
    connection: BlockingConnection, new_queue: NewQueue
) -> None:
    """Clients other than Microsoft's Python client describe the filter's value."""
    queue = new_queue("session")
    sender = connection.create_sender(queue)
    for session in ("a", "b"):
        sender.send(Message(group_id=session, body=session))
    wanted = Filter({SESSION_FILTER: Described(0x13700000C, "b")})
    receiver = connection.create_receiver(queue, credit=1, options=wanted)
    assert receiver.receive(timeout=TIMEOUT).body == "b"
    receiver.accept()


def test_what_is_wrong_is_refused_with_the_services_conditions(
    connection: BlockingConnection, new_queue: NewQueue
) -> None:
    with pytest.raises(LinkDetached, match="amqp:not-found"):
        connection.create_sender("nowhere")
    queue = new_queue("session")
    with pytest.raises(LinkDetached, match="amqp:not-allowed"):
        connection.create_receiver(queue)
    with pytest.raises(SendException):
        connection.create_sender(queue).send(Message(body="of no session"))


@pytest.mark.parametrize(
    "login", [{"password": "another"}, {"user": "SomeoneElse"}, {"password": ""}]
)
def test_a_wrong_login_is_refused(broker: str, login: dict[str, object]) -> None:
    with pytest.raises(Refused, match="unauthorized-access"):
        connect(broker, **login)


def test_who_logs_in_as_nobody_needs_a_token(broker: str, new_queue: NewQueue) -> None:
    opened = connect(broker, user=None, password=None, allowed_mechs="ANONYMOUS")
    with pytest.raises(LinkDetached, match="unauthorized-access"):
        opened.create_sender(new_queue("plain"))
    opened.close()
