"""The host's refusals at start: exit code 1 and a line that names each fault.

The Functions host supports every one of these bindings and settings: "Triggers and bindings in
Azure Functions" and "host.json reference" (learn.microsoft.com).
"""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.ports import LOOPBACK
from tests.local.host.harness import Host

HEAD = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""
STORAGE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=aGk=;BlobEndpoint=http://x/a;"
BUS = "Endpoint=sb://x;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;"


@pytest.fixture
def refused(tmp_path: Path, new_host: Callable[..., Host]) -> Callable[..., object]:
    """Return a function that starts a host of an app with a text and returns the refusals."""

    async def start(text: str, host_json: str = '{"version": "2.0"}', **settings: str) -> list[str]:
        folder = tmp_path / "app"
        folder.mkdir()
        (folder / "function_app.py").write_text(HEAD + text)
        (folder / "host.json").write_text(host_json)
        host = new_host(folder, **settings)
        host.spawn()
        assert await host.wait() == 1, host.log
        assert host.output == ""
        return [line for line in host.log.splitlines() if line.startswith("host: ")]

    return start


async def test_each_binding_it_does_not_have_is_named(refused: Callable[..., object]) -> None:
    lines = await refused("""
@app.queue_trigger("message", "queue", "FILES")
def storage_queue(message: func.QueueMessage) -> None: ...

@app.route("a")
@app.blob_input("blob", "in/x", "FILES")
def blob_in(req: func.HttpRequest, blob: func.InputStream) -> str: ...

@app.route("b")
@app.service_bus_queue_output("out", "BUS", "queue")
def bus_out(req: func.HttpRequest, out: func.Out[str]) -> str: ...

@app.route("c")
@app.retry("fixed_delay", "3", delay_interval="00:00:01")
def retries(req: func.HttpRequest) -> str: ...
""")
    assert lines == [
        "host: function storage_queue: input binding queueTrigger is not supported",
        "host: function blob_in: input binding blob is not supported",
        "host: function bus_out: output binding serviceBus is not supported",
        "host: function retries: retry policies are not supported by the local host",
    ]


async def test_each_setting_it_cannot_serve_is_named(refused: Callable[..., object]) -> None:
    lines = await refused(
        """
@app.route("y/{a}", methods=["GET", "POST"])
def one(req: func.HttpRequest) -> str: ...

@app.route("Y/{b}", methods=["POST"])
def two(req: func.HttpRequest) -> str: ...

@app.route("z/{a:datetime}")
def dated(req: func.HttpRequest) -> str: ...

@app.timer_trigger("t", "00:05:00")
def span(t: func.TimerRequest) -> None: ...

@app.timer_trigger("t", "0 0 0 L * *")
def last_day(t: func.TimerRequest) -> None: ...

@app.service_bus_topic_trigger("m", "BUS", "topic", "subscription")
def topic(m: func.ServiceBusMessage) -> None: ...

@app.service_bus_queue_trigger("m", "BUS", "queue", auto_complete_messages=False)
def settles(m: func.ServiceBusMessage) -> None: ...

@app.service_bus_queue_trigger("m", "NOWHERE", "queue")
def unconnected(m: func.ServiceBusMessage) -> None: ...

@app.service_bus_queue_trigger("m", "FILES", "queue")
def misconnected(m: func.ServiceBusMessage) -> None: ...

@app.service_bus_queue_trigger("m", "BUS", "%QUEUE%")
def unnamed(m: func.ServiceBusMessage) -> None: ...

@app.blob_trigger("blob", "in/{name}", "FILES")
def loads(blob: func.InputStream) -> None: ...
""",
        AzureWebJobsStorage=STORAGE,
        FILES=STORAGE,
        BUS=BUS,
    )
    expected = [
        "two: route api/Y/{b} is also that of one",
        "dated: constraint datetime in route api/z/{a:datetime} is not supported",
        "span: schedule '00:05:00' is not a six-field NCRONTAB expression",
        "last_day: schedule '0 0 0 L * *' is not a six-field NCRONTAB expression",
        "topic: topics are not supported by the local host, only queues",
        "settles: autoCompleteMessages false is not supported",
        "unconnected: the connection setting NOWHERE is missing",
        "misconnected: the connection setting FILES is wrong: ",
        "unnamed: the app setting QUEUE is missing",
        "loads: parameter blob of blobTrigger must be of an SDK type",
    ]
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(f"host: function {start}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            """
@app.route("x")
def f(request: func.HttpRequest) -> str: ...
""",
            "host: cannot load the f function: ",
        ),
        ("", "host: function_app.py: the app has no functions"),
    ],
)
async def test_what_the_runtime_refuses_is_said(
    refused: Callable[..., object], text: str, line: str
) -> None:
    (said,) = await refused(text)
    assert said.startswith(line)


async def test_http_streams_are_refused(refused: Callable[..., object]) -> None:
    # The import of azurefunctions.extensions.http.fastapi does the same.
    lines = await refused("""
from azurefunctions.extensions.base import WebServer

class Streams(WebServer):
    async def serve(self): ...

@app.route("x")
def f(req: func.HttpRequest) -> str: ...
""")
    assert lines == ["host: HTTP streams (azurefunctions.extensions.http) are not supported"]


async def test_a_timer_or_blob_needs_the_hosts_storage(refused: Callable[..., object]) -> None:
    lines = await refused("""
@app.timer_trigger("t", "0 0 6 * * *")
def f(t: func.TimerRequest) -> None: ...
""")
    assert lines == ["host: the connection setting AzureWebJobsStorage is missing"]


async def test_a_key_needs_a_place_to_be_kept(refused: Callable[..., object]) -> None:
    text = """
@app.route("x", auth_level=func.AuthLevel.FUNCTION)
def keyed(req: func.HttpRequest) -> str: ...
"""
    lines = await refused(text)
    assert lines == ["host: access keys: the connection setting AzureWebJobsStorage is missing"]


async def test_another_place_for_keys_is_named(refused: Callable[..., object]) -> None:
    text = """
@app.route("x")
def f(req: func.HttpRequest) -> str: ...
"""
    lines = await refused(text, AzureWebJobsSecretStorageType="keyvault")
    setting = "AzureWebJobsSecretStorageType=keyvault"
    assert lines == [f"host: the app setting {setting} is not supported, only blob"]


async def test_a_setting_of_host_json_is_refused_by_name(refused: Callable[..., object]) -> None:
    lines = await refused("", host_json='{"version": "2.0", "singleton": {"lockPeriod": "1"}}')
    assert lines == ["host: host.json: singleton.lockPeriod is not supported by the local host"]


async def test_a_busy_port_is_named(new_host: Callable[..., Host]) -> None:
    host = new_host("http")
    with socket.socket() as taken:
        taken.bind((LOOPBACK, host.port))
        taken.listen()
        host.spawn()
        assert await host.wait() == 1
    assert f"host: port {host.port} of 127.0.0.1 cannot be used" in host.log


async def test_a_folder_without_an_app_is_named(
    tmp_path: Path, new_host: Callable[..., Host]
) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    host = new_host(tmp_path)
    host.spawn()
    assert await host.wait() == 1
    assert f"host: there is no function_app.py in {tmp_path}" in host.log
