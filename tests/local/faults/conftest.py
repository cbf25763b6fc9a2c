"""Azurite behind the fault proxy, and the real SDKs' clients behind the proxy."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient, LinearRetry

from infra.local.faults.control import Faults
from infra.local.programs import FAULTS
from infra.local.stack import Stack

ONCE = {"retry_total": 0}


@pytest.fixture(scope="session")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Azurite with its data on disk, and the proxy."""
    directory = tmp_path_factory.mktemp("proxied")
    with Stack(directory, processes=("azurite", FAULTS)) as started:
        yield started


@pytest.fixture
def faults(proxied: Stack) -> Iterator[Faults]:
    """Yield the proxy's rules; no rule outlives a test."""
    control = Faults(proxied.faults_url)
    yield control
    control.clear()
    control.close()


@dataclass
class Clients:
    """Clients of the blobs and of the tables behind the proxy."""

    blobs: BlobServiceClient
    tables: TableServiceClient


@pytest.fixture(scope="session")
async def once(proxied: Stack) -> AsyncIterator[Clients]:
    """Open clients without retries."""
    string = proxied.settings["DAM_STORAGE"]
    async with (
        BlobServiceClient.from_connection_string(string, **ONCE) as blobs,
        TableServiceClient.from_connection_string(string, **ONCE) as tables,
    ):
        yield Clients(blobs, tables)


@pytest.fixture(scope="session")
async def again(proxied: Stack) -> AsyncIterator[Clients]:
    """Open clients with the default retries, at shorter intervals."""
    quickly = LinearRetry(backoff=0, random_jitter_range=0.1)
    string = proxied.settings["DAM_STORAGE"]
    async with (
        BlobServiceClient.from_connection_string(string, retry_policy=quickly) as blobs,
        TableServiceClient.from_connection_string(string, retry_backoff_factor=0.1) as tables,
    ):
        yield Clients(blobs, tables)
