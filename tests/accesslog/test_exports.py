"""Exports that are older than a day are deleted, as they would outlive a redaction."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog.exports import CONTAINER, Exports
from shared.azure.blobs import AzureBlobs
from shared.ids import new_id


@pytest.fixture
async def kept(stack):
    adapter = AzureBlobs(stack.info["connection_strings"]["storage"])
    yield adapter
    await adapter.close()


@pytest.mark.parametrize(
    ("age", "left"), [(timedelta(hours=23), 2), (timedelta(hours=25), 1)], ids=str
)
async def test_only_old_exports_of_the_log_are_deleted(kept, age, left):
    mark = new_id(datetime.now(UTC))
    names = [f"log/{mark}/export.csv", f"{mark}/of-another-flow.csv"]
    for name in names:
        await kept.write(CONTAINER, name, b"", "text/csv")
    exports = Exports(None, None, None, None, kept, lambda: datetime.now(UTC) + age)
    await exports.tidy()
    found = [name for name in names if await kept.head(CONTAINER, name)]
    assert found == names[-left:]
