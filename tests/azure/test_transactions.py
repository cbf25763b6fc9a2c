"""Transactions as they go over the wire: what Azurite takes, and answers that say nothing."""

import json
import math
from datetime import UTC, datetime

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from shared.azure import transactions
from shared.azure.tables import AzureTables
from shared.azure.transactions import TransactionError
from shared.errors import RowConflictError
from shared.ids import new_id
from shared.ports import Delete, Insert, Merge, Replace, Row, Upsert

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


async def test_merging_makes_a_row_and_keeps_its_other_columns(kept):
    partition = new_id(datetime.now(UTC))
    for values in ({"one": b"1", "two": 2}, {"two": 3, "three": "x"}):
        (etag,) = await kept.commit(TABLE, [Merge(Row(partition, "row", values))])
    row = await kept.get(TABLE, partition, "row")
    assert (row.values, row.etag) == ({"one": b"1", "two": 3, "three": "x"}, etag)


async def test_what_is_sent_is_what_the_sdk_sends():
    """So that what Azure does with the SDK's transactions, it does with these."""
    theirs = []

    class Told(AsyncHttpTransport):
        async def send(self, request, **_):
            theirs.append(request.content)
            raise ServiceRequestError("told")

        async def open(self): ...
        async def close(self): ...
        async def __aenter__(self):
            return self

        async def __aexit__(self, *_): ...

    account = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=e.test"
    keys = {"PartitionKey": "it's", "RowKey": "Zoë/%41"}
    if_match = {"etag": 'W/"1"', "match_condition": MatchConditions.IfNotModified}
    replacing = {"mode": UpdateMode.REPLACE}
    async with TableClient.from_connection_string(
        account, "table", transport=Told(), retry_total=0
    ) as client:
        with pytest.raises(ServiceRequestError):
            await client.submit_transaction(
                [
                    ("create", keys | {"b": b"1", "x": 0.5}),
                    ("update", keys, replacing | if_match),
                    ("upsert", keys, replacing),
                    ("upsert", keys | {"b": b"2"}, {"mode": UpdateMode.MERGE}),
                    ("delete", keys, if_match),
                    ("delete", keys),
                ]
            )
    names = keys["PartitionKey"], keys["RowKey"]
    own = transactions._encode(
        "https://a.table.e.test/table",
        "batch",
        "changeset",
        [
            Insert(Row(*names, {"b": b"1", "x": 0.5})),
            Replace(Row(*names, {}, 'W/"1"')),
            Upsert(Row(*names, {})),
            Merge(Row(*names, {"b": b"2"})),
            Delete(*names, 'W/"1"'),
            Delete(*names, None),
        ],
    )
    assert parts_of(own) == parts_of(theirs[0])


def parts_of(body):
    """The request line, the headers and the entity of each operation of a transaction.

    Without what the parts need not have: the headers that they share with the request around them
    (and Prefer, as the SDK has the service answer with what it was sent), the length, and the types
    of the keys and of what JSON tells apart.
    """
    optional = {"content-length", "x-ms-version", "x-ms-date", "date", "prefer"}
    parts = []
    for part in body.decode().replace("\r\n", "\n").split("--changeset")[1:-1]:
        _, request, entity = part.split("\n\n", 2)
        line, *headers = request.strip().split("\n")
        named = {name.lower(): value for name, value in (one.split(": ", 1) for one in headers)}
        said = json.loads(entity) if entity.strip() else {}
        for name in [name for name, value in said.items() if value == "Edm.String"]:
            del said[name]
        parts.append((line, {k: v for k, v in named.items() if k not in optional}, said))
    return parts


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
