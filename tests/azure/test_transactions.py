"""Transactions as they go over the wire: what Azurite takes, and answers that say nothing."""

import math
from datetime import UTC, datetime

import pytest

from shared.azure import transactions
from shared.azure.tables import AzureTables
from shared.azure.transactions import TransactionError
from shared.errors import RowConflictError
from shared.ids import new_id
from shared.ports import Delete, Insert, Replace, Row, Upsert

TABLE = "transactiontests"
# What needs care in an address, in JSON or in OData.
NAMES = [
    "it's",
    "''",
    "Zoë",
    "a+b",
    "a b",
    "%41",
    "(x),y",
    'say "so"',
    "a=b&c",
    "i|AbC_-|1",
    "日本",
]


@pytest.fixture(scope="module")
async def kept(stack):
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield tables
    await tables.close()


@pytest.mark.parametrize("suffix", ["", "'s (ë)"])
async def test_rows_of_any_name_are_made_changed_and_deleted(kept, suffix):
    partition = new_id(datetime.now(UTC)) + suffix
    made = await kept.commit(TABLE, [Insert(Row(partition, name, {"n": name})) for name in NAMES])
    assert all(made)
    upserted = [Upsert(Row(partition, name, {"n": name + "2"})) for name in NAMES]
    etags = await kept.commit(TABLE, upserted)
    for name in NAMES:
        assert (await kept.get(TABLE, partition, name)).values == {"n": name + "2"}
    versions = dict(zip(NAMES, etags, strict=True))
    replaced = [Replace(Row(partition, name, {"n": 3}, versions[name])) for name in NAMES]
    etags = await kept.commit(TABLE, replaced)
    found = {row.row: row async for row in kept.scan(TABLE, partition)}
    assert {name: row.values for name, row in found.items()} == {name: {"n": 3} for name in NAMES}
    assert [found[name].etag for name in NAMES] == list(etags)
    deleted = [Delete(partition, name, found[name].etag) for name in NAMES]
    assert await kept.commit(TABLE, deleted) == [None] * len(NAMES)
    assert [row async for row in kept.scan(TABLE, partition)] == []


async def test_values_of_every_kind_come_back_as_they_were(kept):
    partition = new_id(datetime.now(UTC))
    values = {
        "text": "Zoë|'\"\\\r\n--changeset_",
        "empty": "",
        "large": -(2**62),
        "small": 0,
        "ratio": 0.1,
        "whole": 2.0,
        "none": b"",
        "bytes": b"HTTP/1.1 500\r\nETag: x\r\n" + bytes(range(256)),
        "yes": True,
        "no": False,
        "most": math.inf,
        "least": -math.inf,
    }
    rows = [Insert(Row(partition, name, values)) for name in ("one", "two")]
    await kept.commit(TABLE, rows)
    for name in ("one", "two"):
        found = (await kept.get(TABLE, partition, name)).values
        assert found == values
        assert {n: type(v) for n, v in found.items()} == {n: type(v) for n, v in values.items()}


async def test_the_operation_that_lost_is_told_wherever_it_stands(kept):
    partition = new_id(datetime.now(UTC))
    await kept.commit(TABLE, [Insert(Row(partition, "12", {}))])
    for position in (0, 1, 42, 99):
        names = [f"new-{number}" for number in range(100)]
        names[position] = "12"
        with pytest.raises(RowConflictError) as lost:
            await kept.commit(TABLE, [Insert(Row(partition, name, {})) for name in names])
        assert lost.value.position == position


async def test_what_the_service_refuses_is_no_conflict(kept):
    rows = [Insert(Row("p", "same", {})), Insert(Row("p", "same", {}))]
    with pytest.raises(TransactionError) as refused:
        await kept.commit(TABLE, rows)
    assert (refused.value.status_code, refused.value.error_code) == (400, "InvalidDuplicateRow")


HEAD = b"--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n"
DONE = b"--changesetresponse_2\r\n\r\nHTTP/1.1 204 No Content\r\nETag: one\r\n\r\n\r\n"
END = b"--changesetresponse_2--\r\n--batchresponse_1--\r\n"


def test_an_answer_to_each_operation_is_read():
    assert transactions._decode(HEAD + DONE + DONE + END, 2) == ["one", "one"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", HEAD, HEAD + END, HEAD + DONE + END, HEAD + DONE, HEAD + 3 * DONE + END],
)
def test_an_answer_that_does_not_tell_of_all_operations_is_an_outage(answer):
    with pytest.raises(TransactionError) as told:
        transactions._decode(answer, 2)
    assert told.value.status_code == 500
    assert told.value.position is None


@pytest.mark.parametrize(
    ("body", "code", "position"),
    [
        (
            b'{"odata.error":{"code":"ServerBusy","message":{"value":"busy: 1"}}}',
            "ServerBusy",
            None,
        ),
        (
            b'{"odata.error":{"code":"EntityTooLarge","message":{"value":"7:x"}}}',
            "EntityTooLarge",
            7,
        ),
        (b"<error>no JSON</error>", "", None),
        (b'{"error":1}', "", None),
    ],
)
def test_a_refusal_says_what_and_where_if_it_can(body, code, position):
    part = b"--changesetresponse_2\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n" + body + b"\r\n"
    with pytest.raises(TransactionError) as told:
        transactions._decode(HEAD + part + END, 2)
    assert (told.value.status_code, told.value.error_code) == (503, code)
    assert told.value.position == position
