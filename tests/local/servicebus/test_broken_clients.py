"""Broken and foreign clients: the broker refuses an unknown request by name, at no cost.

Source: OASIS AMQP 1.0 (transport, and filter-set in part 3, section 3.5.8).
"""

from collections.abc import Callable, Iterator

import psutil
import pytest
from proton import Described, Message, symbol
from proton.reactor import Filter
from proton.utils import BlockingConnection, LinkDetached, SendException

from infra.local.servicebus.incoming import MAX_MESSAGE_BYTES
from infra.local.servicebus.sas import UnauthorizedError, verify
from tests.local.servicebus.test_proton_client import SESSION_FILTER, connect
from tests.local.servicebus.test_sdk_drops import port_of

NewQueue = Callable[[str], str]
SELECTOR = symbol("apache.org:selector-filter:string")


@pytest.fixture
def connection(broker: str) -> Iterator[BlockingConnection]:
    opened = connect(broker)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("kind", "filters", "said"),
    [
        # A broker that ignores a selector delivers every message.
        ("plain", {SELECTOR: Described(SELECTOR, "colour = 'red'")}, "not-implemented.*selector"),
        ("session", {SESSION_FILTER: "s", SELECTOR: "1 = 0"}, "not-implemented.*selector"),
        ("session", {SESSION_FILTER: 5}, "invalid-field.*session filter"),
        ("session", {SESSION_FILTER: b"s"}, "invalid-field.*session filter"),
    ],
)
def test_a_filter_that_the_broker_does_not_apply_is_refused(
    connection: BlockingConnection,
    new_queue: NewQueue,
    kind: str,
    filters: dict[object, object],
    said: str,
) -> None:
    with pytest.raises(LinkDetached, match=said):
        connection.create_receiver(new_queue(kind), options=Filter(filters))


@pytest.mark.parametrize("address", ["amqp://[nowhere", "amqp://[::1/queue"])
def test_an_address_that_is_no_uri_is_refused_on_its_link_alone(
    connection: BlockingConnection, new_queue: NewQueue, address: str
) -> None:
    with pytest.raises(LinkDetached, match="amqp:invalid-field"):
        connection.create_receiver(address)
    connection.create_sender(new_queue("plain")).send(Message(body="the connection lives"))


def test_a_huge_message_is_refused_without_being_kept(
    broker: str, connection: BlockingConnection, new_queue: NewQueue
) -> None:
    """ "Service Bus quotas", message size: the broker reads on and keeps at most the limit."""
    (process,) = {
        psutil.Process(each.pid)
        for each in psutil.net_connections("tcp")
        if each.laddr and each.laddr.port == port_of(broker) and each.status == psutil.CONN_LISTEN
    }
    sender = connection.create_sender(new_queue("plain"))
    before, huge = process.memory_info().rss, 400 * MAX_MESSAGE_BYTES
    with pytest.raises(SendException):
        sender.send(Message(body=b"x" * huge))
    assert process.memory_info().rss - before < huge / 4
    sender.send(Message(body="the link lives"))


@pytest.mark.parametrize(
    "token",
    [
        "sr=a&sig=%C3%A4&se=99999999999&skn=RootManageSharedAccessKey",
        "sr=a&sig=YQ==&se=%C2%B2&skn=RootManageSharedAccessKey",
        f"sr=a&sig=YQ==&se={'9' * 5000}&skn=RootManageSharedAccessKey",
        "s%72=a&sig=YQ==&se=99999999999&skn=RootManageSharedAccessKey",
    ],
)
def test_an_odd_token_is_unauthorized_and_no_failure(token: str) -> None:
    with pytest.raises(UnauthorizedError):
        verify(f"SharedAccessSignature {token}", "a", 0.0)
