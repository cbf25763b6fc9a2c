"""The app on the stack by settings alone: the sample's, and the documents' additions.

The local host stands in for Core Tools. The host passes on the settings that Core Tools would: the
`Values` of the settings file and the environment of the start ("Code and test Azure Functions
locally", learn.microsoft.com).
"""

import json
import re
import shutil
import subprocess
import sys

import httpx
import pytest

from infra.local import coretools
from infra.local.errors import StackError
from infra.local.ports import Ports
from infra.local.programs import PROCESSES
from infra.local.settings import ROOT, connection_strings, endpoints
from infra.local.stack import Stack
from tests.journeys.portal import Portal, eventually
from tests.local.host.harness import Host

# The files that a deployment holds.
DEPLOYED = ("function_app.py", "host.json", "requirements.txt", "functions", "shared")
CONNECTION = re.compile(r'connection="(\w+)"')
ENVIRONMENT = re.compile(r"\bos\.environ|\bgetenv\b")
BACKUPS = "infra/local/backups"
APP_ALONE = """
import importlib.util, sys
sys.path.insert(0, ".")
assert importlib.util.find_spec("infra") is None
import function_app
print(len(function_app.app.get_functions()))
assert not any(name.split(".")[0] in ("infra", "tests") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Start the stack without a host."""
    names = [name for name in PROCESSES if name != "host"]
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, processes=names) as started:
        yield started


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """Copy the app as deployed into a folder without the local stack and the tests."""
    folder = tmp_path_factory.mktemp("app")
    for name in DEPLOYED:
        if (ROOT / name).is_dir():
            unneeded = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=unneeded)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def sample(ports):
    """Return the sample's values, for a stack on these ports and an app in a folder of its own."""
    text = (ROOT / "local.settings.sample.json").read_text(encoding="utf-8")
    moved = dict(zip(endpoints(Ports()).values(), endpoints(ports).values(), strict=True))
    moved["UseDevelopmentStorage=true"] = connection_strings(ports)["storage"]
    # Data, not code, that the sample names relative to the app.
    moved[BACKUPS] = str(ROOT / BACKUPS)
    for old, new in moved.items():
        text = text.replace(old, new)
    return json.loads(text)["Values"]


def environment(stack, directory):
    """Return the output of `python -m infra.local environment` for a stack."""
    info_file = directory / "stack.json"
    info_file.write_text(json.dumps(stack.info))
    return coretools.environment(info_file)


def test_the_app_loads_without_the_stack_in_reach(app):
    done = subprocess.run(
        [sys.executable, "-I", "-c", APP_ALONE],
        cwd=app,
        env=sample(Ports()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_the_sample_has_each_connection_and_the_environment_is_read_in_known_places():
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("functions", "shared")
        for path in (ROOT / folder).rglob("*.py")
    }
    connections = {name for text in sources.values() for name in CONNECTION.findall(text)}
    assert connections
    assert connections <= sample(Ports()).keys()
    # The first file reads `Settings`; tests/test_documents.py compares the sample with `Settings`.
    # The second file gives a child process the system's variables (PATH and the like), and no
    # setting.
    readers = {name for name, text in sources.items() if ENVIRONMENT.search(text)}
    assert readers == {"shared/composition/core.py", "shared/metadata/worker_process.py"}


async def test_an_app_with_settings_alone_files_an_upload_and_audits(services, app, tmp_path):
    host = Host(app, tmp_path, sample(services.ports) | environment(services, tmp_path))
    host.port = services.ports.host
    await host.start()
    try:
        async with httpx.AsyncClient(base_url=host.url, timeout=30, trust_env=False) as http:
            ready = await http.get("/api/health/ready")
            assert ready.status_code == 200, ready.text
            assert all(check["reachable"] for check in ready.json()["checks"].values())
        async with Portal(services, "by-settings") as portal:
            await portal.upload("shoot/launch.png", (ROOT / "samples/launch.png").read_bytes())
            [asset] = await eventually(portal.assets, bool)
            assert (asset["path"], asset["verdict"]) == ("shoot/launch.png", "clean")
            audit = await portal.call("POST", "backup-audits", who="service")
            verdicts = {found["verdict"] for found in audit.json()["findings"]}
            assert verdicts == {"completed", "missed"}
    finally:
        assert await host.stop() == 0


@pytest.mark.parametrize("missing", [*coretools.IDENTITY, coretools.AUTHORITIES[0]])
async def test_each_variable_beside_the_sample_is_needed(services, app, tmp_path, missing):
    given = sample(services.ports) | environment(services, tmp_path)
    del given[missing]
    host = Host(app, tmp_path, given)
    await host.start()
    try:
        async with httpx.AsyncClient(base_url=host.url, timeout=60, trust_env=False) as http:
            answer = await http.get("/api/health/ready")
            assert answer.status_code == 503
            assert not answer.json()["checks"]["vault"]["reachable"]
    finally:
        assert await host.stop() == 0


def test_without_a_stack_there_is_one_message(tmp_path):
    with pytest.raises(StackError, match="make services"):
        coretools.environment(tmp_path / "stack.json")
