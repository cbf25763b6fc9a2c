"""HTTP functions, served by a real host process to a real client.

Sources: "Azure Functions HTTP trigger" (routes, methods, route prefix, limits) and "Azure Functions
Python developer guide" (request and response objects), both on learn.microsoft.com.
"""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from tests.local.host.harness import APPS, Host

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Host]:
    started = Host(APPS / "http", tmp_path_factory.mktemp("http"), {})
    await started.start()
    yield started
    assert await started.stop() == 0


@pytest.fixture(scope="module")
async def client(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as opened:
        yield opened


async def test_a_request_arrives_whole(host: Host, client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/echo/t%C3%A4/7?a=1&b=&a=2",
        content=b"body",
        headers={"X-Custom": "yes", "X-Forwarded-For": "10.0.0.1"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    seen = answer.json()
    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.url}/api/echo/t%C3%A4/7?a=1&b=&a=2"
    assert seen["params"] == {"tenant": "tä", "id": "7"}
    assert seen["query"] == {"a": "1,2", "b": ""}
    assert seen["headers"]["x-custom"] == "yes"
    assert seen["headers"]["x-forwarded-for"].startswith("10.0.0.1, 127.0.0.1:")
    assert seen["length"] == 4


async def test_an_optional_parameter_may_be_left_out(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/echo/somebody")
    assert answer.json()["params"] == {"tenant": "somebody"}
    assert (await client.get("/api/echo/somebody/seven")).status_code == 404


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("files/special.txt", {"function": "special"}),
        ("FILES/Special.TXT", {"function": "special"}),
        ("files/x.jpg", {"function": "picture", "name": "x"}),
        ("files/a/b%2Fc", {"function": "files", "path": "a/b%2Fc"}),
        ("files", {"function": "files", "path": None}),
        ("numbers/7", {"function": "small", "n": "7"}),
        ("numbers/0xFF", {"function": "hexadecimal", "n": "0xFF"}),
    ],
)
async def test_the_most_exact_route_answers(
    client: httpx.AsyncClient, path: str, answer: dict[str, str | None]
) -> None:
    assert (await client.get(f"/api/{path}")).json() == answer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/nowhere"),
        ("GET", "/text"),
        ("POST", "/"),
        ("DELETE", "/api/echo/x"),
        ("GET", "/api/numbers/10"),
        ("HEAD", "/api/cookies"),
        ("GET", "/admin/nowhere"),
    ],
)
async def test_an_unknown_route_or_method_is_not_found(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.content) == (404, b"")


async def test_a_body_of_any_bytes_goes_through_and_back(client: httpx.AsyncClient) -> None:
    body = os.urandom(20 * MEGABYTE)
    answer = await client.post("/api/bytes", content=body)
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(body).digest()
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_chunked_body_goes_through(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"\x00\xff" * 1000

    answer = await client.post("/api/bytes", content=chunks())
    assert answer.content == b"\x00\xff" * 10000


async def test_a_body_over_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    def body(size: int) -> Iterator[bytes]:
        for _ in range(size // MEGABYTE):
            yield bytes(MEGABYTE)

    async def stream(size: int) -> AsyncIterator[bytes]:
        for part in body(size):
            yield part

    fits = await client.post("/api/echo/x", content=stream(100 * MEGABYTE))
    assert (fits.status_code, fits.json()["length"]) == (200, 100 * MEGABYTE)
    over = await client.post("/api/echo/x", content=stream(101 * MEGABYTE))
    assert (over.status_code, over.content) == (413, b"")


@pytest.mark.parametrize(
    ("limit", "sent", "status", "grown"),
    [
        # Once in memory, with some room to grow; joining the parts would take twice the size.
        (200, 100, 200, 150),
        # A body known to be too large is not kept. A body that turns out too large is kept up to
        # the limit.
        (1, 300, 413, 20),
    ],
)
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_takes_no_more_memory_than_it_needs(
    new_host: Callable[..., Host], limit: int, sent: int, status: int, grown: int, declared: bool
) -> None:
    """The limit is the host's own: "Azure Functions HTTP trigger", limits (learn.microsoft.com)."""
    host = new_host("http", FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=str(limit * MEGABYTE))
    await host.start()

    async def parts() -> AsyncIterator[bytes]:
        part = bytes(MEGABYTE)
        for _ in range(sent):
            yield part

    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as client:
        # The first request imports every module that a request needs.
        await client.post("/api/echo/x", content=b"warm")
        before = (await client.get("/api/peak")).json()
        length = {"Content-Length": str(sent * MEGABYTE)} if declared else {}
        answer = await client.post("/api/echo/x", content=parts(), headers=length)
        assert answer.status_code == status
        after = (await client.get("/api/peak")).json()
    assert (after - before) / MEGABYTE < grown
    assert await host.stop() == 0


async def test_head_has_headers_only(client: httpx.AsyncClient) -> None:
    answer = await client.head("/api/bytes")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_headers_and_every_cookie_come_back(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/cookies")
    assert answer.status_code == 204
    assert answer.headers["x-kept"] == "yes"
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


async def test_a_text_is_a_response_too(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/text")
    assert (answer.status_code, answer.text) == (200, "plain")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_function_is_told_its_context(host: Host, client: httpx.AsyncClient) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = (await client.get("/api/context", headers={"traceparent": trace})).json()
    assert f"[its_context {seen.pop('invocation')}]" in host.log
    assert seen == {"function": "its_context", "directory": str(host.app), "trace": trace}


async def test_a_form_and_its_files_arrive(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/form", data={"a": "1"}, files={"b": ("b.txt", b"two")})
    assert answer.json() == {"form": {"a": "1"}, "files": {"b": "two"}}


async def test_a_whole_asgi_application_is_served(new_host: Callable[..., Host]) -> None:
    host = new_host("asgi")
    await host.start()
    async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as client:
        answer = await client.post("/api/items/one?b=2", content=b"body")
        assert (answer.status_code, answer.headers["x-from"]) == (201, "starlette")
        assert answer.json() == {"name": "one", "query": {"b": "2"}, "body": "body"}
        assert (await client.get("/api/items/one")).status_code == 405
    assert await host.stop() == 0


async def test_without_an_output_there_is_no_content(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/silent")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_the_root_is_a_page_until_it_is_turned_off(
    client: httpx.AsyncClient, new_host: Callable[..., Host]
) -> None:
    """AzureWebJobsDisableHomepage: "App settings reference for Azure Functions"."""
    page = await client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    host = new_host("http", AzureWebJobsDisableHomepage="true")
    await host.start()
    none = await client.get(host.url)
    assert (none.status_code, none.content) == (204, b"")
    assert await host.stop() == 0


async def test_a_client_that_goes_away_is_no_fault(host: Host, client: httpx.AsyncClient) -> None:
    for path in ("/api/bytes", "/api/nowhere", "/admin/functions/echo"):
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        writer.write(head.encode() + b"part of it")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
    assert (await client.get("/api/text")).text == "plain"
    assert "Disconnect" not in host.log


async def test_a_failing_function_is_an_empty_500_and_logged(
    host: Host, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/api/fails", content=b"never in a log")
    assert (answer.status_code, answer.content) == (500, b"")
    assert "broken on purpose" in host.log
    assert "[fails " in host.log
    assert "never in a log" not in host.log


async def test_requests_are_served_side_by_side(client: httpx.AsyncClient) -> None:
    # Each request waits for every further request, so serving in turns would never end.
    answers = await asyncio.gather(
        *(client.get("/api/together", params={"parties": 50}) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {200}


async def test_a_blocking_function_does_not_hold_up_others(client: httpx.AsyncClient) -> None:
    blocked = asyncio.create_task(client.get("/api/blocking"))
    released = await client.get("/api/release")
    assert released.status_code == 200
    assert (await blocked).status_code == 200


async def test_the_admin_surface_says_what_runs(host: Host, client: httpx.AsyncClient) -> None:
    """The fields are those of the Functions host's HostStatus and FunctionMetadataResponse.

    "Manually run a non HTTP-triggered function" (learn.microsoft.com) gives the addresses. A status
    leaves out fields without a value.
    """
    status = (await client.get("/admin/host/status")).json()
    assert status["state"] == "Running"
    assert status["id"].startswith("local-")
    assert status["version"].split(".")[0] == "4"
    assert status["processUptime"] >= 0
    functions = {one["name"]: one for one in (await client.get("/admin/functions")).json()}
    assert {"echo", "mirror", "fails"} <= set(functions)
    one = (await client.get("/admin/functions/PICTURE")).json()
    assert one == functions["picture"]
    assert one.pop("config")["bindings"][0] == {
        "authLevel": "ANONYMOUS",
        "direction": "IN",
        "methods": ["GET"],
        "name": "req",
        "route": "files/{name}.jpg",
        "type": "httpTrigger",
    }
    assert one == {
        "name": "picture",
        "script_root_path_href": None,
        "script_href": None,
        "config_href": None,
        "test_data_href": None,
        "href": f"{host.url}/admin/functions/picture",
        "invoke_url_template": f"{host.url}/api/files/{{name}}.jpg",
        "language": "python",
        "files": None,
        "test_data": "",
        "isDisabled": False,
        "isDirect": False,
        "isProxy": False,
    }
    assert (await client.get("/admin/functions/nobody")).status_code == 404
    nested = {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}
    assert (await client.post("/admin/functions/picture", **nested)).status_code == 400
    assert "ready" in host.output


async def test_only_the_loopback_address_is_served(host: Host) -> None:
    with socket.socket() as listener:
        # Free on every second address of the loopback network, so no socket listens on 0.0.0.0.
        listener.bind(("127.0.0.2", host.port))
