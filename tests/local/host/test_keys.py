"""Access keys: the calls that each key opens, against a real host with keys in Azurite.

Sources: "Work with access keys in Azure Functions" and, for the levels, "Azure Functions HTTP
trigger" (learn.microsoft.com).
"""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from azure.storage.blob.aio import ContainerClient

from tests.local.host.harness import APPS, Host, eventually

HOST_ID = "keyed-app"


def key(name: str, value: str, *, encrypted: bool = False) -> dict[str, object]:
    return {"name": name, "value": value, "encrypted": encrypted}


KEPT = {
    "host": {
        "masterKey": key("master", "the-master-key"),
        "functionKeys": [key("default", "a-host-key"), key("mobile", "another-host-key")],
        "systemKeys": [key("eventgrid", "a-system-key")],
    },
    "anybody": {"keys": []},
    "one": {"keys": [key("default", "key-of-one"), key("second", "other-key-of-one")]},
    "two": {"keys": [key("default", "key-of-two")]},
    "admins": {"keys": [key("default", "key-of-admins")]},
}


async def keep(storage: str, host_id: str, documents: dict[str, Any]) -> None:
    """Write keys to the place where the Functions host reads keys."""
    async with ContainerClient.from_connection_string(storage, "azure-webjobs-secrets") as kept:
        if not await kept.exists():
            await kept.create_container()
        for name, document in documents.items():
            await kept.upload_blob(f"{host_id}/{name}.json", json.dumps(document), overwrite=True)


async def made(storage: str, host_id: str) -> dict[str, Any]:
    """Return the existing keys, by the name of the document."""
    async with ContainerClient.from_connection_string(storage, "azure-webjobs-secrets") as kept:
        found = {}
        async for name in kept.list_blob_names(name_starts_with=f"{host_id}/"):
            document = json.loads(await (await kept.download_blob(name)).readall())
            found[name.split("/")[1].removesuffix(".json")] = document
        return found


@pytest.fixture(scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory, storage: str) -> AsyncIterator[Host]:
    await keep(storage, HOST_ID, KEPT)
    settings = {"AzureWebJobsStorage": storage, "AzureFunctionsWebHost__hostid": HOST_ID}
    started = Host(APPS / "keyed", tmp_path_factory.mktemp("keyed"), settings)
    await started.start()
    yield started
    assert await started.stop() == 0


@pytest.fixture(scope="module")
async def client(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "opened_by"),
    [
        # Open with any key.
        ("/v1/open", None),
        (
            "/v1/one",
            {
                "the-master-key",
                *("a-host-key", "another-host-key"),
                *("key-of-one", "other-key-of-one"),
            },
        ),
        ("/v1/two", {"the-master-key", "a-host-key", "another-host-key", "key-of-two"}),
        ("/v1/admins", {"the-master-key"}),
        ("/admin/functions", {"the-master-key"}),
        ("/admin/functions/one", {"the-master-key"}),
        ("/admin/host/status", {"the-master-key"}),
        ("/admin/nowhere", set()),
    ],
)
@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "wrong",
        "the-master-key",
        "THE-MASTER-KEY",
        "a-host-key",
        "another-host-key",
        "key-of-one",
        "other-key-of-one",
        "key-of-two",
        "key-of-admins",
        "a-system-key",
    ],
)
async def test_a_key_opens_what_it_is_for(
    client: httpx.AsyncClient, path: str, given: str | None, opened_by: set[str] | None
) -> None:
    expected = 200 if opened_by is None or given in opened_by else 401
    if path == "/admin/nowhere" and given == "the-master-key":
        expected = 404
    by_header = await client.get(path, headers={} if given is None else {"x-functions-key": given})
    by_query = await client.get(path, params={} if given is None else {"code": given})
    assert (by_header.status_code, by_query.status_code) == (expected, expected)
    if expected == 401:
        assert (by_header.content, by_query.content) == (b"", b"")


async def test_the_header_goes_before_the_query(client: httpx.AsyncClient) -> None:
    right, wrong = {"x-functions-key": "key-of-one"}, {"x-functions-key": "wrong"}
    assert (await client.get("/v1/one?code=wrong", headers=right)).status_code == 200
    assert (await client.get("/v1/one?code=key-of-one", headers=wrong)).status_code == 401


async def test_the_function_gets_the_query_whole_and_its_body(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/one?code=key-of-one", content=b"12345")
    assert answer.text == "one key-of-one 5"


async def test_a_refused_request_may_have_a_large_body(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/one", content=bytes(5_000_000))
    assert answer.status_code == 401
    # The connection still works for the next request.
    assert (await client.get("/v1/open")).text == "open"


async def test_a_ping_needs_no_key(client: httpx.AsyncClient) -> None:
    assert (await client.get("/admin/host/ping")).status_code == 200


async def test_an_unknown_route_is_not_found_whatever_the_key(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/nowhere?code=wrong")).status_code == 404
    assert (await client.delete("/v1/one")).status_code == 404


async def test_no_key_is_logged(host: Host) -> None:
    assert "made access keys" not in host.log
    for text in ("the-master-key", "a-host-key", "key-of-one"):
        assert text not in host.log


async def test_keys_are_made_at_the_first_start_and_kept(
    new_host: Callable[..., Host], storage: str
) -> None:
    settings = {"AzureWebJobsStorage": storage, "AzureFunctionsWebHost__hostid": "fresh-app"}
    host = new_host("keyed", **settings)
    for _ in range(2):
        await host.start()
        keys = await made(storage, "fresh-app")
        assert set(keys) == {"host", "anybody", "one", "two", "admins"}
        own = keys["one"]["keys"][0]
        master = keys["host"]["masterKey"]
        assert (own["name"], own["encrypted"]) == ("default", False)
        assert [one["name"] for one in keys["host"]["functionKeys"]] == ["default"]
        assert len({own["value"], master["value"], keys["two"]["keys"][0]["value"]}) == 3
        assert min(len(own["value"]), len(master["value"])) >= 40
        async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
            for path, value in (("/v1/one", own["value"]), ("/v1/admins", master["value"])):
                answer = await client.get(path, headers={"x-functions-key": value})
                assert answer.status_code == 200
            assert (await client.get("/v1/one")).status_code == 401
        assert await host.stop() == 0
    assert host.log.count("made access keys") == 5
    assert own["value"] not in host.log
    assert master["value"] not in host.log


async def test_nobody_is_let_in_before_the_keys_are_there(new_host: Callable[..., Host]) -> None:
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=aGk=;"
    host = new_host("keyed", AzureWebJobsStorage=f"{nowhere}BlobEndpoint=http://127.0.0.1:9/a;")
    host.spawn()
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as client:

        async def answer(path: str) -> int | None:
            try:
                return (await client.get(path)).status_code
            except httpx.ConnectError:
                return None

        while (status := await answer("/v1/one?code=")) is None:
            pass
        assert status == 503
        assert await answer("/v1/open") == 200
    assert "ready" not in host.output
    assert await host.stop() == 0


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"masterKey": key("master", "sealed", encrypted=True)}, "are encrypted"),
        ({"masterKey": "bare"}, "are not in the format of Azure Functions"),
        ({"functionKeys": []}, "are not in the format of Azure Functions"),
        (["the-master-key"], "are not in the format of Azure Functions"),
    ],
)
async def test_keys_that_cannot_be_read_end_the_host(
    new_host: Callable[..., Host], storage: str, document: dict[str, Any], reason: str
) -> None:
    await keep(storage, "broken-app", {"host": document})
    host = new_host(
        "keyed", AzureWebJobsStorage=storage, AzureFunctionsWebHost__hostid="broken-app"
    )
    host.spawn()
    assert await host.wait() == 1
    await eventually(lambda: f"host: access keys in azure-webjobs-secrets {reason}" in host.log)
    assert "sealed" not in host.log


async def test_an_anonymous_app_gets_keys_when_it_names_their_place(
    new_host: Callable[..., Host], storage: str
) -> None:
    host = new_host(
        "http",
        AzureWebJobsStorage=storage,
        AzureFunctionsWebHost__hostid="anonymous-app",
        AzureWebJobsSecretStorageType="blob",
    )
    await host.start()
    master = (await made(storage, "anonymous-app"))["host"]["masterKey"]["value"]
    async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
        assert (await client.get("/api/text")).text == "plain"
        assert (await client.get("/admin/functions")).status_code == 401
        named = {"x-functions-key": master}
        assert (await client.get("/admin/functions", headers=named)).status_code == 200
    assert await host.stop() == 0
