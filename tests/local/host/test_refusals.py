"""What the host refuses at start: exit code 1 and a line that names what is wrong."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.ports import LOOPBACK
from tests.local.host.harness import Host

HEAD = """
from typing import List
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""
STORAGE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=aGk=;BlobEndpoint=http://x/a;"
BUS = "Endpoint=sb://x;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;"


@pytest.fixture
def refused(tmp_path: Path, new_host: Callable[..., Host]) -> Callable[..., object]:
    """Starts a host of an app with this text and returns the lines it was refused with."""

    async def start(text: str, host_json: str = '{"version": "2.0"}', **settings: str) -> list[str]:
        folder = tmp_path / "app"
        folder.mkdir(exist_ok=True)
        (folder / "function_app.py").write_text(HEAD + text)
        (folder / "host.json").write_text(host_json)
        host = new_host(folder, **settings)
        host.spawn()
        assert await host.wait() == 1, host.log
        assert host.output == ""
        return [line for line in host.log.splitlines() if line.startswith("host: ")]

    return start


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            """
@app.queue_trigger("message", "queue", "FILES")
def f(message: func.QueueMessage) -> None: ...
""",
            "function f: input binding queueTrigger is not supported",
        ),
        (
            """
@app.route("x")
@app.blob_input("blob", "in/x", "FILES")
def f(req: func.HttpRequest, blob: func.InputStream) -> str: ...
""",
            "function f: input binding blob is not supported",
        ),
        (
            """
@app.route("x")
@app.service_bus_queue_output("out", "BUS", "queue")
def f(req: func.HttpRequest, out: func.Out[str]) -> str: ...
""",
            "function f: output binding serviceBus is not supported",
        ),
        (
            """
@app.service_bus_queue_trigger("m", "BUS", "queue", auto_complete_messages=False)
def f(m: func.ServiceBusMessage) -> None: ...
""",
            "function f: property autoCompleteMessages of serviceBusTrigger is not supported",
        ),
        (
            """
@app.service_bus_queue_trigger("m", "BUS", "queue", cardinality="many")
def f(m: List[func.ServiceBusMessage]) -> None: ...
""",
            "function f: cardinality MANY is not supported, only ONE",
        ),
        (
            """
@app.service_bus_topic_trigger("m", "BUS", "topic", "subscription")
def f(m: func.ServiceBusMessage) -> None: ...
""",
            "function f: topics are not supported by the local host, only queues",
        ),
        (
            """
@app.service_bus_queue_trigger("m", "NOWHERE", "queue")
def f(m: func.ServiceBusMessage) -> None: ...
""",
            "function f: the connection setting NOWHERE is missing",
        ),
        (
            """
@app.service_bus_queue_trigger("m", "FILES", "queue")
def f(m: func.ServiceBusMessage) -> None: ...
""",
            "function f: the connection setting FILES is wrong: ",
        ),
        (
            """
@app.service_bus_queue_trigger("m", "BUS", "%QUEUE%")
def f(m: func.ServiceBusMessage) -> None: ...
""",
            "function f: the app setting QUEUE is missing",
        ),
        (
            """
@app.timer_trigger("t", "00:05:00")
def f(t: func.TimerRequest) -> None: ...
""",
            "function f: schedule '00:05:00' is not a six-field NCRONTAB expression",
        ),
        (
            """
@app.timer_trigger("t", "0 0 0 L * *")
def f(t: func.TimerRequest) -> None: ...
""",
            "function f: schedule '0 0 0 L * *' is not a six-field NCRONTAB expression",
        ),
        (
            """
@app.blob_trigger("blob", "in/{name}", "FILES")
def f(blob: func.InputStream) -> None: ...
""",
            "function f: parameter blob of blobTrigger must be of an SDK type",
        ),
        (
            """
@app.route("x", auth_level=func.AuthLevel.FUNCTION)
def f(req: func.HttpRequest) -> str: ...
""",
            "function f: authLevel FUNCTION is not supported",
        ),
        (
            """
@app.route("x/{a}", methods=["GET", "POST"])
def f(req: func.HttpRequest) -> str: ...

@app.route("X/{b}", methods=["POST"])
def g(req: func.HttpRequest) -> str: ...
""",
            "function g: route api/X/{b} is also that of f",
        ),
        (
            """
@app.route("x/{a:range(1,2)}")
def f(req: func.HttpRequest) -> str: ...
""",
            "function f: constraint range(1,2) in route api/x/{a:range(1,2)} is not supported",
        ),
        (
            """
@app.route("x")
@app.retry("fixed_delay", "3", delay_interval="00:00:01")
def f(req: func.HttpRequest) -> str: ...
""",
            "function f: retry policies are not supported by the local host",
        ),
        (
            """
@app.route("x")
def f(request: func.HttpRequest) -> str: ...
""",
            "cannot load the f function: ",
        ),
        ("", "function_app.py: the app has no functions"),
    ],
)
async def test_an_app_is_refused_by_name(
    refused: Callable[..., object], text: str, line: str
) -> None:
    lines = await refused(text, AzureWebJobsStorage=STORAGE, FILES=STORAGE, BUS=BUS)
    assert len(lines) == 1
    assert lines[0].removeprefix("host: ").startswith(line)


async def test_everything_wrong_is_said_at_once(refused: Callable[..., object]) -> None:
    lines = await refused(
        """
@app.route("x", auth_level=func.AuthLevel.ADMIN)
def f(req: func.HttpRequest) -> str: ...

@app.service_bus_queue_trigger("m", "NOWHERE", "queue")
def g(m: func.ServiceBusMessage) -> None: ...

@app.service_bus_queue_trigger("m", "NOWHERE", "queue", cardinality="many")
def h(m: List[func.ServiceBusMessage]) -> None: ...
"""
    )
    assert [line.split(":")[1].strip() for line in lines] == [
        "function f",
        "function g",
        "function h",
    ]


async def test_a_timer_or_blob_needs_the_hosts_storage(refused: Callable[..., object]) -> None:
    lines = await refused("""
@app.timer_trigger("t", "0 0 6 * * *")
def f(t: func.TimerRequest) -> None: ...
""")
    assert lines == ["host: the connection setting AzureWebJobsStorage is missing"]


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
