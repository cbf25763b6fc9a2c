"""What tests share: the local stack, started once for those that ask for it, and its clients."""

import signal
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

from infra.local import ports

# Fixtures import what needs the stack or Azure themselves, so that pure tests go without.
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx
    from azure.data.tables.aio import TableServiceClient
    from azure.servicebus.aio import ServiceBusClient
    from azure.storage.blob.aio import BlobServiceClient

    from infra.local.stack import Stack

pytest_plugins = ("tests.fast",)

# Short, so that a test of a crash sees its message delivered again soon.
LOCK_DURATION = "PT10S"


# How long an example takes says more of the machine than of the code.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Let children be interrupted, and give each process of a parallel run ports of its own."""
    # A shell starts what runs in its background with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return
    number, count = int(worker["workerid"].removeprefix("gw")), int(worker["workercount"])
    share = len(ports.FREE_PORTS) // count
    ports.FREE_PORTS = ports.FREE_PORTS[number * share : (number + 1) * share]


class Tokens(Protocol):
    """Mints an access token for a person or a service, as the stack's issuer does for anyone."""

    def __call__(
        self,
        roles: str | list[str] = ...,
        tenant: str | None = ...,
        oid: str = ...,
        organisation: str | None = ...,
        expires_in: int | None = ...,
    ) -> str: ...


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stack]":
    """The whole stack with this repository's app, in memory, on free ports."""
    from infra.local.stack import Stack

    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True, lock_duration=LOCK_DURATION) as started:
        yield started


@pytest.fixture(scope="session")
def token(stack: "Stack") -> Tokens:
    """`token(roles=..., tenant=..., oid=...)` returns a bearer token for the app."""
    import httpx

    def mint(
        roles: str | list[str] = "",
        tenant: str | None = None,
        oid: str = "somebody",
        organisation: str | None = None,
        expires_in: int | None = None,
    ) -> str:
        asked = {
            "grant_type": "client_credentials",
            "client_id": oid,
            "roles": roles if isinstance(roles, str) else " ".join(roles),
            "tenant": tenant,
            "organisation": organisation,
            "expires_in": expires_in,
        }
        form = {name: value for name, value in asked.items() if value is not None}
        answer = httpx.post(stack.info["token"]["endpoint"], data=form, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    return mint


@pytest.fixture(scope="session")
async def http(stack: "Stack") -> "AsyncIterator[httpx.AsyncClient]":
    """An HTTP client of the app, for paths such as `/api/health`."""
    import httpx

    from tests.contracts import check_contract

    async with httpx.AsyncClient(
        base_url=stack.info["endpoints"]["app"],
        timeout=30,
        trust_env=False,
        event_hooks={"response": [check_contract]},
    ) as client:
        yield client


@pytest.fixture(scope="session")
async def blobs(stack: "Stack") -> "AsyncIterator[BlobServiceClient]":
    """The stack's blob storage."""
    from azure.storage.blob.aio import BlobServiceClient

    strings = stack.info["connection_strings"]
    async with BlobServiceClient.from_connection_string(strings["storage"]) as client:
        yield client


@pytest.fixture(scope="session")
async def tables(stack: "Stack") -> "AsyncIterator[TableServiceClient]":
    """The stack's tables."""
    from azure.data.tables.aio import TableServiceClient

    strings = stack.info["connection_strings"]
    async with TableServiceClient.from_connection_string(strings["storage"]) as client:
        yield client


@pytest.fixture(scope="session")
async def bus(stack: "Stack") -> "AsyncIterator[ServiceBusClient]":
    """The stack's queues."""
    from azure.servicebus.aio import ServiceBusClient

    strings = stack.info["connection_strings"]
    async with ServiceBusClient.from_connection_string(strings["service_bus"]) as client:
        yield client
