"""The import of the app in the order of Azure's worker.

An instance of Flex Consumption starts without an app and is specialised later. The worker imports
the app from the working directory that the worker started in. Afterwards the worker changes into
the app's folder: `function_environment_reload_request` of azure-functions-runtime.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.host.harness import ROOT, Host

APP = """
import json
import os
import sys
from pathlib import Path

import azure.functions as func
import neighbour

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
FILE = Path(os.environ["DATA_FILE"])
IMPORTED = {"directory": os.getcwd(), "path": list(sys.path), "found": FILE.exists()}

@app.route("seen")
def seen(req: func.HttpRequest) -> func.HttpResponse:
    running = {"directory": os.getcwd(), "path": list(sys.path), "found": FILE.exists()}
    return func.HttpResponse(json.dumps({"imported": IMPORTED, "running": running}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app that reports its working directory and sys.path, and a file beside the app."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    (folder / "neighbour.py").write_text("")
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "data.json").write_text("{}")
    return folder


async def seen(host: Host) -> dict[str, dict[str, Any]]:
    await host.start()
    async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
        answer = (await client.get("/api/seen")).json()
    assert await host.stop() == 0
    return answer


async def test_a_relative_path_is_not_found_until_the_app_is_indexed(
    folder: Path, new_host: Callable[..., Host]
) -> None:
    answer = await seen(new_host(folder, DATA_FILE="data.json"))
    assert not answer["imported"]["found"]
    directory = Path(answer["imported"]["directory"])
    assert folder not in (directory, *directory.parents)
    assert ROOT not in (directory, *directory.parents)
    assert answer["running"]["found"]
    assert answer["running"]["directory"] == str(folder)


async def test_installed_packages_come_before_the_folder_of_the_app(
    folder: Path, new_host: Callable[..., Host]
) -> None:
    """`DependencyManager` of azure-functions-python-worker: "Linux Consumption sys.path"."""
    answer = await seen(new_host(folder, DATA_FILE=str(folder / "data.json")))
    assert answer["imported"]["found"]
    path = answer["imported"]["path"]
    assert path[-1] == str(folder)
    assert path.count(str(folder)) == 1
    assert str(ROOT) not in path
    assert answer["running"]["path"] == path
