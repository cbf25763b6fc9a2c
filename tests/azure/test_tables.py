"""The adapter of Table Storage, on Azurite: conditions, limits, pages, a service down."""

import base64
import gc
import json
from datetime import UTC, datetime

import pytest

from infra.local.ports import Ports
from infra.local.settings import connection_strings
from shared.azure.tables import AzureTables
from shared.errors import MalformedInputError, RowConflictError, UnavailableError
from shared.ids import new_id
from shared.ports import Delete, Insert, Replace, Row, Upsert

TABLE = "adaptertests"
# The most operations that one entity-group transaction takes.
LIMIT = 100


@pytest.fixture(scope="module")
async def kept(stack):
    """The adapter of the stack's tables."""
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield tables
    await tables.close()


@pytest.fixture
def partition():
    """A partition that no other test uses."""
    return new_id(datetime.now(UTC))


def row(partition, name, etag=None, **values):
    return Row(partition, name, values, etag)


async def names(kept, partition, prefix=""):
    """The names of the rows that a scan finds, in its order."""
    return [found.row async for found in kept.scan(TABLE, partition, prefix=prefix)]


async def filled(kept, partition, wanted):
    """Insert empty rows, as many at once as go into one transaction."""
    for start in range(0, len(wanted), LIMIT):
        part = wanted[start : start + LIMIT]
        await kept.commit(TABLE, [Insert(row(partition, name)) for name in part])


async def test_values_come_back_as_they_were(kept, partition):
    # 2**40 does not fit the 32 bits that a bare number is kept in.
    values = {
        "text": "Zoë|'x'",
        "empty": "",
        "large": 2**40,
        "ratio": 0.5,
        "yes": True,
        "no": False,
        "bytes": bytes(range(256)) * 256,
        "none": b"",
    }
    await kept.commit(TABLE, [Insert(row(partition, "one", **values))])
    found = await kept.get(TABLE, partition, "one")
    assert found.values == values
    assert {name: type(value) for name, value in found.values.items()} == {
        name: type(value) for name, value in values.items()
    }
    assert (found.partition, found.row) == (partition, "one")
    assert found.etag


async def test_a_table_that_is_not_there_is_empty_and_made_by_the_first_commit(kept, partition):
    table = "made" + partition.lower()
    assert await kept.get(table, partition, "one") is None
    assert [found async for found in kept.scan(table, partition)] == []
    page = await kept.page(table, partition)
    assert (list(page.rows), page.continuation) == ([], None)
    await kept.delete(table, partition, "one")
    await kept.commit(table, [Insert(row(partition, "one", step=1))])
    assert (await kept.get(table, partition, "one")).values == {"step": 1}


async def test_a_replacement_needs_the_version_it_read(kept, partition):
    await kept.commit(TABLE, [Insert(row(partition, "one", step=1))])
    first = await kept.get(TABLE, partition, "one")
    await kept.commit(TABLE, [Replace(row(partition, "one", first.etag, step=2))])
    with pytest.raises(RowConflictError):
        await kept.commit(TABLE, [Replace(row(partition, "one", first.etag, step=3))])
    assert (await kept.get(TABLE, partition, "one")).values == {"step": 2}


async def test_an_upsert_replaces_all_of_a_row(kept, partition):
    await kept.commit(TABLE, [Upsert(row(partition, "one", old=1))])
    await kept.commit(TABLE, [Upsert(row(partition, "one", new=2))])
    assert (await kept.get(TABLE, partition, "one")).values == {"new": 2}


@pytest.mark.parametrize("kind", ["insert", "replace", "delete", "delete of none"])
async def test_one_conflict_undoes_the_whole_transaction(kept, partition, kind):
    await kept.commit(TABLE, [Insert(row(partition, "one", step=1))])
    stale = (await kept.get(TABLE, partition, "one")).etag
    await kept.commit(TABLE, [Upsert(row(partition, "one", step=2))])
    operation = {
        "insert": Insert(row(partition, "one", step=3)),
        "replace": Replace(row(partition, "one", stale, step=3)),
        "delete": Delete(partition, "one", stale),
        "delete of none": Delete(partition, "nothing"),
    }[kind]
    with pytest.raises(RowConflictError):
        await kept.commit(TABLE, [Insert(row(partition, "other")), operation])
    assert await names(kept, partition) == ["one"]
    assert (await kept.get(TABLE, partition, "one")).values == {"step": 2}


async def test_a_conflict_tells_which_operation_it_was(kept, partition):
    await kept.commit(TABLE, [Insert(row(partition, "one"))])
    inserts = [Insert(row(partition, name)) for name in ("zero", "one", "two")]
    with pytest.raises(RowConflictError) as lost:
        await kept.commit(TABLE, inserts)
    assert lost.value.position == 1
    stale = Replace(row(partition, "one", "W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\""))
    with pytest.raises(RowConflictError) as lost:
        await kept.commit(TABLE, [stale, *inserts])
    assert lost.value.position == 0


async def test_a_commit_tells_the_version_that_each_row_has_now(kept, partition):
    inserts = [Insert(row(partition, name)) for name in ("one", "two")]
    first = await kept.commit(TABLE, inserts)
    assert list(first) == [(await kept.get(TABLE, partition, n)).etag for n in ("one", "two")]
    replaced, deleted, upserted = await kept.commit(
        TABLE,
        [
            Replace(row(partition, "one", first[0], step=2)),
            Delete(partition, "two", first[1]),
            Upsert(row(partition, "three")),
        ],
    )
    assert replaced == (await kept.get(TABLE, partition, "one")).etag != first[0]
    assert deleted is None
    assert upserted == (await kept.get(TABLE, partition, "three")).etag


async def test_the_rows_between_two_keys_are_found_with_both(kept, partition):
    await filled(kept, partition, ["a", "b", "ba", "c", "d"])
    await filled(kept, partition + "x", ["b"])
    for size in (2, 1000):
        found = kept.between(TABLE, partition, "b", "c", size=size)
        assert [one.row async for one in found] == ["b", "ba", "c"]
    assert [one async for one in kept.between("nosuchtable", partition, "a", "z")] == []


async def test_what_a_query_has_read_is_not_held_until_the_garbage_collector_comes(kept, partition):
    """An export of a large log is thousands of queries, of megabytes each."""
    mark = new_id(datetime.now(UTC))
    rows = [Insert(row(partition, f"r{n}", mark=mark)) for n in range(10)]
    await kept.commit(TABLE, rows)
    gc.collect()
    gc.disable()
    try:
        assert len([one async for one in kept.between(TABLE, partition, "r0", "r9")]) == 10
        assert len([one async for one in kept.scan(TABLE, partition)]) == 10
        # The collector knows lists, and no dictionaries of nothing but text.
        lists = [one for one in gc.get_objects() if isinstance(one, list) and one]
        left = [one for one in lists if isinstance(one[0], dict) and one[0].get("mark") == mark]
    finally:
        gc.enable()
    assert left == []


async def test_a_delete_with_the_version_it_read_deletes(kept, partition):
    await kept.commit(TABLE, [Insert(row(partition, "one"))])
    etag = (await kept.get(TABLE, partition, "one")).etag
    await kept.commit(TABLE, [Delete(partition, "one", etag)])
    assert await names(kept, partition) == []
    await kept.delete(TABLE, partition, "one")


async def test_a_hundred_operations_are_one_transaction(kept, partition):
    wanted = [f"{number:03}" for number in range(LIMIT)]
    await filled(kept, partition, wanted)
    assert await names(kept, partition) == wanted
    await kept.commit(TABLE, [Delete(partition, name) for name in wanted])
    assert await names(kept, partition) == []


async def test_a_scan_goes_on_after_the_thousand_rows_of_one_answer(kept, partition):
    wanted = [f"{number:04}" for number in range(1001)]
    await filled(kept, partition, wanted)
    assert await names(kept, partition) == wanted


async def test_a_prefix_finds_what_begins_with_it_alone(kept, partition):
    await filled(kept, partition, ["a", "a|", "a|1", "a|2", "a}", "b|1", "A|1"])
    await filled(kept, partition + "x", ["a|3"])
    assert await names(kept, partition, "a|") == ["a|", "a|1", "a|2"]
    page = await kept.page(TABLE, partition, prefix="a|")
    assert [found.row for found in page.rows] == ["a|", "a|1", "a|2"]


async def test_pages_lead_on_to_the_end_without_a_gap(kept, partition):
    wanted = [f"{number:02}" for number in range(7)]
    await filled(kept, partition, wanted)
    pages, continuation = [], None
    while not pages or continuation is not None:
        page = await kept.page(TABLE, partition, size=3, continuation=continuation)
        pages.append([found.row for found in page.rows])
        continuation = page.continuation
    assert pages == [wanted[:3], wanted[3:6], wanted[6:]]


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "token", ["%", "e30", "AAAA", "ü", encoded([]), encoded({"PartitionKey": "a"}), encoded(None)]
)
async def test_a_continuation_of_somebody_else_is_refused(kept, partition, token):
    with pytest.raises(MalformedInputError) as refused:
        await kept.page(TABLE, partition, continuation=token)
    assert refused.value.code == "continuation-token-invalid"


async def test_a_continuation_never_leads_into_another_partition(kept, partition):
    other = partition + "x"
    await filled(kept, partition, ["1", "2", "3"])
    await filled(kept, other, ["4", "5", "6"])
    foreign = (await kept.page(TABLE, other, size=1)).continuation
    page = await kept.page(TABLE, partition, continuation=foreign)
    assert {found.partition for found in page.rows} <= {partition}


async def test_a_service_that_is_down_is_unavailable(partition):
    tables = AzureTables(connection_strings(Ports.free())["storage"])
    try:
        with pytest.raises(UnavailableError):
            await tables.commit(TABLE, [Insert(row(partition, "one"))])
    finally:
        await tables.close()
