"""What an export reads of a log, and when it is deleted, as it would outlive a redaction."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog.reading.exports import CONTAINER, Exports
from shared.accesslog.storage import layout
from shared.azure.blobs import AzureBlobs
from shared.ids import new_id
from shared.ports import Delete, Replace, Row
from tests.accesslog.logs import entries


@pytest.fixture
async def blobs(stack):
    adapter = AzureBlobs(stack.info["connection_strings"]["storage"])
    yield adapter
    await adapter.close()


@pytest.mark.parametrize(
    ("age", "left"), [(timedelta(hours=23), 2), (timedelta(hours=25), 1)], ids=str
)
async def test_only_old_exports_of_the_log_are_deleted(blobs, age, left):
    mark = new_id(datetime.now(UTC))
    names = [f"log/{mark}/export.csv", f"{mark}/of-another-flow.csv"]
    for name in names:
        await blobs.write(CONTAINER, name, b"", "text/csv")
    exports = Exports(None, None, None, None, blobs, lambda: datetime.now(UTC) + age)
    await exports.tidy()
    found = [name for name in names if await blobs.head(CONTAINER, name)]
    assert found == names[-left:]


@pytest.mark.parametrize("first", [0, 250, 1000])
async def test_what_is_missing_is_read_as_such_and_all_else_as_it_is(kept, store, tenant, first):
    await store.append(tenant, entries(*range(1500)))
    whole = [one async for one in store.read_checked(tenant, 1500)]
    assert [index for index, _, _ in whole] == list(range(1500))
    segments = [row async for row in kept.scan(layout.TABLE, tenant, prefix="s|")]
    gone = set()
    for place in (0, 4, 5, 6, 13):
        segment = layout.segment_of(segments[place])
        gone |= set(range(segment.first, segment.end))
        broken = Row(tenant, segments[place].row, {"e0": b"\0"}, segments[place].etag)
        is_broken = place == 5
        operation = Replace(broken) if is_broken else Delete(tenant, segments[place].row)
        await kept.commit(layout.TABLE, [operation])
    left = [one async for one in store.read_checked(tenant, 1500, first)]
    expected = [(n, None, b"") if n in gone else whole[n] for n in range(first, 1500)]
    assert left == expected
