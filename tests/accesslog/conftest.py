"""The tables and the log on the stack."""

import pytest

from shared.accesslog import LogStore
from tests.accesslog.logs import SECRET, new_tenant


@pytest.fixture(scope="session")
async def kept(stack):
    """The adapter of the stack's tables."""
    from shared.azure.tables import AzureTables

    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield tables
    await tables.close()


@pytest.fixture
def store(kept):
    """A log store of its own: what another one knows of a head, it does not."""
    return LogStore(kept, SECRET)


@pytest.fixture
def tenant():
    """A tenant that no other test uses."""
    return new_tenant()
