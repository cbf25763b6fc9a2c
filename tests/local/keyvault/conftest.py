"""One shared vault with its issuer, and clients of both kinds."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from infra.local.stack import Stack
from tests.local.keyvault.clients import Secrets

Clients = Callable[..., Secrets]


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("vault"), processes=["identity", "keyvault"]) as started:
        yield started


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def clients(vault: Stack, kind: str) -> AsyncIterator[Clients]:
    """`clients(principal, **options)` opens a client for a principal, closed after the test."""
    opened: list[Secrets] = []

    def client(principal: str = "secrets-officer", **options: Any) -> Secrets:
        opened.append(Secrets(vault, kind, principal, **options))
        return opened[-1]

    yield client
    for each in opened:
        await each.close()


@pytest.fixture
def secrets(clients: Clients) -> Secrets:
    """Open a client of a principal with every permission on secrets."""
    return clients()


@pytest.fixture
def name(kind: str, request: pytest.FixtureRequest) -> str:
    """Return the name of a secret that no second test uses."""
    return request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-") + f"-{kind}"
