"""The effects of the fault proxy on a request, as the unmodified storage SDKs see each effect.

The forms of errors follow "Status and error codes" and "Common REST API error codes"
(learn.microsoft.com/rest/api/storageservices). The clients' reactions follow "Azure Storage retry
guidance" (learn.microsoft.com/azure/architecture/best-practices).
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.data.tables import TableErrorCode
from azure.storage.blob import StorageErrorCode, generate_blob_sas

from infra.local.errors import StackError
from infra.local.faults.control import Faults
from infra.local.faults.rules import Plan, Rule, bad_day

CODES = {500: "InternalError", 503: "ServerBusy", 429: "TooManyRequests"}


async def test_what_no_rule_touches_goes_through_unchanged(once, faults):
    """Binary bodies, chunks, ranges, metadata, conditions, and paths with characters to escape."""
    container = once.blobs.get_container_client("untouched")
    await container.create_container()
    name, data = "a b/ü%2f+?&#.bin", bytes(range(256)) * 40_000
    blob = container.get_blob_client(name)
    await blob.upload_blob(data, metadata={"Key": "value"}, max_concurrency=2)
    assert await (await blob.download_blob()).readall() == data
    assert await (await blob.download_blob(offset=7, length=9)).readall() == data[7:16]
    found = await blob.get_blob_properties()
    assert found.metadata == {"Key": "value"}
    copy = container.get_blob_client("copy")
    await copy.start_copy_from_url(blob.url)
    assert await (await copy.download_blob()).readall() == data
    assert {name async for name in container.list_blob_names()} == {name, "copy"}
    with pytest.raises(ResourceNotFoundError) as missing:
        await container.get_blob_client("none").get_blob_properties()
    assert missing.value.error_code == StorageErrorCode.BLOB_NOT_FOUND
    await container.delete_blobs(name, "copy")
    assert [name async for name in container.list_blob_names()] == []


async def test_entities_go_through_unchanged(once, faults):
    table = await once.tables.create_table("untouched")
    entities = [{"PartitionKey": "p", "RowKey": f"'ü {n}", "n": n} for n in range(3)]
    await table.submit_transaction([("create", entity) for entity in entities])
    query = table.query_entities("PartitionKey eq 'p' and n gt 0", results_per_page=1)
    assert [entity["n"] async for entity in query] == [1, 2]


@pytest.mark.parametrize("status", CODES)
async def test_an_error_has_the_blob_services_form(once, faults, status):
    with faults.rules(Rule(service="blob", status=status, retry_after=7)):
        with pytest.raises(HttpResponseError) as refused:
            await once.blobs.create_container("refused")
        with pytest.raises(HttpResponseError) as head:
            await once.blobs.get_blob_client("any", "blob").get_blob_properties()
    error = refused.value
    assert (error.status_code, error.error_code) == (status, CODES[status])
    assert f"RequestId:{error.response.headers['x-ms-request-id']}" in error.message
    assert error.response.headers["x-ms-error-code"] == CODES[status]
    assert error.response.headers["Retry-After"] == "7"
    # The response to a HEAD has no body: only the header has the code.
    assert (head.value.status_code, head.value.error_code) == (status, CODES[status])
    assert faults.hits() == []


@pytest.mark.parametrize("status", CODES)
async def test_an_error_has_the_table_services_form(once, faults, status):
    """OData's error in JSON, for a whole transaction too."""
    table = once.tables.get_table_client("any")
    with faults.rules(Rule(service="table", status=status)):
        with pytest.raises(HttpResponseError) as refused:
            await table.get_entity("p", "r")
        with pytest.raises(HttpResponseError) as batch:
            await table.submit_transaction([("create", {"PartitionKey": "p", "RowKey": "r"})])
    assert (refused.value.status_code, refused.value.error_code) == (status, CODES[status])
    assert batch.value.status_code == status


async def test_the_service_is_not_asked_when_the_answer_is_an_error(once, faults):
    with faults.rules(Rule(status=503, times=1)), pytest.raises(HttpResponseError):
        await once.blobs.create_container("never-made")
    assert not await once.blobs.get_container_client("never-made").exists()


async def test_the_sdk_tries_again_after_what_passes(again, faults):
    """ "Azure Storage retry guidance": the SDK retries after 500, 503 and broken connections."""
    with faults.rules(*(Rule(path="tried", status=status, times=1) for status in (500, 503))):
        await again.blobs.create_container("tried-again")
        assert faults.hits() == [1, 1]
    with faults.rules(*(Rule(service="table", status=status, times=1) for status in (500, 503))):
        await again.tables.create_table("triedagain")
        assert faults.hits() == [1, 1]
    with faults.rules(Rule(path="tried", cut="request", times=2)):
        await again.blobs.get_container_client("tried-again").get_container_properties()
        assert faults.hits() == [2]


async def test_a_lost_answer_is_that_of_a_request_that_was_carried_out(once, again, faults):
    with faults.rules(Rule(cut="answer")), pytest.raises(ServiceRequestError):
        await once.blobs.create_container("lost-answer")
    assert await once.blobs.get_container_client("lost-answer").exists()
    # A client that retries is told of the earlier success, as by Azure.
    lost = Rule(method="PUT", cut="answer", times=1)
    with faults.rules(lost), pytest.raises(ResourceExistsError) as taken:
        await again.blobs.create_container("lost-answer-again")
    assert taken.value.error_code == StorageErrorCode.CONTAINER_ALREADY_EXISTS
    table = await once.tables.create_table("lostanswer")
    # The SDK leaves the retry of a transaction to the caller.
    trying = again.tables.get_table_client("lostanswer")
    batch = [("create", {"PartitionKey": "p", "RowKey": "r", "n": 1})]
    rule = Rule(path="batch", cut="answer", times=1)
    with faults.rules(rule), pytest.raises(ServiceRequestError):
        await trying.submit_transaction(batch)
    with pytest.raises(HttpResponseError) as exists:
        await trying.submit_transaction(batch)
    assert exists.value.error_code == TableErrorCode.ENTITY_ALREADY_EXISTS
    assert (await table.get_entity("p", "r"))["n"] == 1


async def test_a_cut_request_never_reaches_the_service(once, faults):
    # Always cut: aiohttp itself retries an idempotent request on a new connection.
    with faults.rules(Rule(cut="request")), pytest.raises(ServiceRequestError):
        await once.blobs.create_container("cut-off")
    assert not await once.blobs.get_container_client("cut-off").exists()


def read_url(blob):
    signature = generate_blob_sas(
        blob.account_name,
        blob.container_name,
        blob.blob_name,
        account_key=blob.credential.account_key,
        permission="r",
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return f"{blob.url}?{signature}"


@pytest.mark.parametrize("cut", ["headers", "body"])
async def test_an_answer_is_cut_within_its_body(once, again, faults, cut):
    """ "Get Blob": fewer bytes than Content-Length are incomplete; the SDK continues."""
    container = once.blobs.get_container_client(f"cut-{cut}")
    await container.create_container()
    data = bytes(range(256)) * 1000
    await container.upload_blob("blob", data)
    rule = Rule(method="GET", path="blob", cut=cut, times=1)
    url = read_url(container.get_blob_client("blob"))
    got = {"headers": "received 0 bytes, expected 256000", "body": "received 128000 bytes"}[cut]
    async with httpx.AsyncClient(trust_env=False) as plain:
        with faults.rules(rule), pytest.raises(httpx.RemoteProtocolError, match=got):
            await plain.get(url)
    with faults.rules(rule):
        stream = await again.blobs.get_blob_client(f"cut-{cut}", "blob").download_blob()
        assert await stream.readall() == data
        assert faults.hits() == [1]


def until_hit(faults):
    while faults.hits() != [1]:
        time.sleep(0.01)


async def test_a_delay_comes_before_the_answer(once, faults):
    """Two requests at once: the delayed request ends last."""
    ended = []

    async def ask(container):
        await once.blobs.get_container_client(container).exists()
        ended.append(container)

    with faults.rules(Rule(path="slow", delay=1.0)):
        slow = asyncio.create_task(ask("slow"))
        await asyncio.to_thread(until_hit, faults)
        await ask("quick")
        await slow
    assert ended == ["quick", "slow"]


async def test_rules_choose_by_service_method_path_and_number(once, faults):
    container, tables = once.blobs.get_container_client("chosen"), once.tables
    with faults.rules(
        Rule(service="table", status=500),
        Rule(method="DELETE", status=500),
        Rule(path=r"restype=container.*comp=list|comp=list.*restype=container", status=503),
        Rule(method="GET", skip=2, times=1, status=429),
    ):
        await container.create_container()
        with pytest.raises(HttpResponseError, match="InternalError"):
            await tables.create_table("chosen")
        with pytest.raises(HttpResponseError, match="InternalError"):
            await container.delete_container()
        with pytest.raises(HttpResponseError, match="ServerBusy"):
            assert [name async for name in container.list_blob_names()]
        seen = []
        for _ in range(4):
            try:
                await container.get_container_properties()
                seen.append(200)
            except HttpResponseError as error:
                seen.append(error.status_code)
        assert seen == [200, 200, 429, 200]
        assert faults.hits() == [1, 1, 1, 1]


async def test_chance_is_the_same_for_the_same_seed(once, faults):
    container = once.blobs.get_container_client("chance")
    await container.create_container()

    async def outcomes(seed):
        seen = ""
        with faults.rules(Rule(probability=0.5, status=500), seed=seed):
            for _ in range(40):
                try:
                    await container.get_container_properties()
                    seen += "."
                except HttpResponseError:
                    seen += "x"
        return seen

    first = await outcomes(1)
    assert {".", "x"} == set(first)
    assert await outcomes(1) == first
    assert await outcomes(2) != first


async def test_on_a_bad_day_the_sdk_gets_its_work_done(again, faults):
    """An upload that overwrites may be retried after any failure."""
    container = again.blobs.get_container_client("bad-day")
    await container.create_container()
    plan = bad_day(0.3, seed=5)
    # The plan leaves out failures without a retry by the SDK.
    faults.set(Plan([rule for rule in plan.rules if rule.status != 429], plan.seed))
    for number in range(60):
        await container.upload_blob(str(number), b"x" * 1000, overwrite=True)
    hits = faults.hits()
    faults.clear()
    assert len([name async for name in container.list_blob_names()]) == 60
    assert sum(hits) > 10


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ({"rules": [{"status": 404}]}, "status"),
        ({"rules": [{"status": 500, "cut": "answer"}]}, "not both"),
        ({"rules": [{"cut": "wire"}]}, "cut"),
        ({"rules": [{}]}, "needs a status"),
        ({"rules": [{"status": 500, "path": "("}]}, "regular expression"),
        ({"rules": [{"status": 500, "probability": 0}]}, "probability"),
        ({"rules": [{"status": 500, "times": 0}]}, "times"),
        ({"rules": [{"delay": -1}]}, "below 0"),
        ({"rules": [{"delay": 1, "code": "X"}]}, "go with a status"),
        ({"rules": [{"status": 500, "code": "<"}]}, "letters"),
        ({"rules": [{"status": 500, "method": "get"}]}, "upper case"),
        ({"rules": [{"staus": 500}]}, "staus"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(proxied, faults, plan, why):
    before = Plan([Rule(delay=0.1)])
    faults.set(before)
    answer = httpx.put(f"{proxied.faults_url}/plan", json=plan, trust_env=False)
    assert answer.status_code == 400
    assert why in answer.text
    assert httpx.get(f"{proxied.faults_url}/plan", trust_env=False).json()["plan"]["rules"] == [
        {"delay": 0.1}
    ]


def test_a_refusal_reaches_the_python_client(proxied):
    control = Faults(f"{proxied.faults_url}/elsewhere")
    with pytest.raises(StackError, match="answered 404"):
        control.clear()
    control.close()


async def test_a_large_blob_goes_through_without_being_held(once, proxied, faults):
    """128 MiB up and down, and the proxy holds one chunk at a time."""
    container = once.blobs.get_container_client("large")
    await container.create_container()
    process = psutil.Process(proxied.pid("faults"))
    piece, count = b"x" * (1 << 20), 128

    async def pieces():
        for _ in range(count):
            yield piece

    await container.upload_blob("warm", piece * 4)
    before = process.memory_info().rss
    # In blocks of 4 MiB.
    await container.upload_blob("large", pieces(), length=count * len(piece))
    size = 0
    async for chunk in (await container.download_blob("large")).chunks():
        size += len(chunk)
    assert size == count * len(piece)
    assert process.memory_info().rss - before < 8 << 20


async def test_azurite_restarts_with_its_data_while_clients_wait(proxied, again, faults):
    container = again.blobs.get_container_client("restarted")
    await container.create_container()
    table = await again.tables.create_table("restarted")
    for number in range(20):
        await container.upload_blob(f"{number}", b"%d" % number)
        await table.create_entity({"PartitionKey": "p", "RowKey": str(number)})
    first = proxied.pid("azurite")
    await asyncio.to_thread(proxied.restart, "azurite")
    assert proxied.pid("azurite") != first
    for number in range(20):
        assert await (await container.download_blob(f"{number}")).readall() == b"%d" % number
        assert await table.get_entity("p", str(number))
