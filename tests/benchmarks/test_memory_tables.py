"""The tables in memory keep to the service's contract, and the meter counts."""

import pytest

from shared.errors import RowConflictError
from shared.ports import Condition, Delete, Insert, Merge, Replace, Row, Upsert
from tests.benchmarks.memory_tables import MemoryTables
from tests.benchmarks.metered import Metered

TABLE = "rows"


def row(key, etag=None, **values):
    return Row("p", key, values, etag)


@pytest.fixture
async def tables():
    """Tables with the rows a, b and c."""
    made = MemoryTables()
    await made.commit(TABLE, [Insert(row(key, n=n)) for n, key in enumerate("bca")])
    return made


async def kept(tables):
    return {found.row: dict(found.values) async for found in tables.scan(TABLE, "p")}


async def test_each_write_gives_a_new_etag(tables) -> None:
    first = (await tables.get(TABLE, "p", "a")).etag
    (second,) = await tables.commit(TABLE, [Replace(row("a", first, n=9))])
    (third,) = await tables.commit(TABLE, [Upsert(row("a", n=10))])
    assert len({first, second, third}) == 3
    assert (await tables.get(TABLE, "p", "a")).etag == third


@pytest.mark.parametrize(
    "operation",
    [
        Insert(row("a")),
        Replace(row("a", "stale")),
        Replace(row("missing", "any")),
        Delete("p", "a", "stale"),
        Delete("p", "missing"),
    ],
)
async def test_a_precondition_that_fails_undoes_the_whole_transaction(tables, operation) -> None:
    before = await kept(tables)
    with pytest.raises(RowConflictError) as raised:
        await tables.commit(TABLE, [Upsert(row("b", n=7)), Insert(row("d")), operation])
    assert raised.value.position == 2
    assert await kept(tables) == before


async def test_a_merge_keeps_the_other_columns(tables) -> None:
    await tables.commit(TABLE, [Merge(row("a", more="x")), Merge(row("new", n=1))])
    assert await kept(tables) == {
        "a": {"n": 2, "more": "x"},
        "b": {"n": 0},
        "c": {"n": 1},
        "new": {"n": 1},
    }


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [Upsert(row(str(n))) for n in range(101)],
        [Upsert(row("a")), Delete("p", "a")],
        [Upsert(row("a")), Upsert(Row("q", "b", {}))],
        [Upsert(row("a", e=bytes(1024 * 1024 + 1)))],
        [Upsert(row(str(n), e=bytes(1024 * 1024))) for n in range(5)],
    ],
)
async def test_the_limits_of_a_transaction_hold(tables, operations) -> None:
    with pytest.raises(ValueError, match=r"[Tt]ransaction"):
        await tables.commit(TABLE, operations)


async def test_rows_are_read_in_the_order_of_their_keys(tables) -> None:
    await tables.commit(TABLE, [Delete("p", "b"), Insert(row("bb")), Insert(row("aa"))])
    found = [one.row async for one in tables.between(TABLE, "p", "aa", "c")]
    assert found == ["aa", "bb", "c"]
    assert [one.row async for one in tables.scan(TABLE, "p", prefix="a")] == ["a", "aa"]
    await tables.delete(TABLE, "p", "bb")
    await tables.delete(TABLE, "p", "bb")
    assert list(await kept(tables)) == ["a", "aa", "c"]


async def test_pages_follow_each_other(tables) -> None:
    first = await tables.page(TABLE, "p", size=2)
    second = await tables.page(TABLE, "p", size=2, continuation=first.continuation)
    assert [[one.row for one in page.rows] for page in (first, second)] == [["a", "b"], ["c"]]
    assert second.continuation is None
    met = await tables.page(TABLE, "p", where=[Condition("n", "ge", 1)], between=("a", "c"))
    assert [one.row for one in met.rows] == ["a"]


async def test_the_meter_counts_operations_and_bytes(tables) -> None:
    meter = Metered(tables)
    await meter.commit(TABLE, [Upsert(row("a", e=bytes(300))), Upsert(row("b", e=bytes(300)))])
    assert meter.operations == 2
    # 600 bytes in base64, and the envelopes of two operations.
    assert 800 < meter.bytes < 2_500
    sent = meter.bytes
    await meter.get(TABLE, "p", "a")
    await meter.get(TABLE, "p", "missing")
    assert meter.operations == 4
    assert 400 < meter.bytes - sent < 600
    assert [one.row async for one in meter.between(TABLE, "p", "a", "c", size=2)] == ["a", "b", "c"]
    assert meter.operations == 6
