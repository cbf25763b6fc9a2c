"""The contracts of imports hold, and every planted violation breaks a contract."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("functions", "infra", "shared")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

LAYERS = "Flows import downwards: composition, flows, log, messages, adapters, ports"
TRIGGERS = "Triggers of one flow import no triggers of another flow"
APP = "Flows import no triggers, and the app imports no local stack"
ADAPTERS = "The composition's adapters alone import the adapters to Azure"
COMPOSITION = "Triggers alone import the composition"
AZURE = "The adapters, the triggers and the local stack alone import Azure's libraries"
FUNCTIONS = "Triggers import azure.functions and no other library of Azure"
PURE = "Rules and other pure modules reach no service, store, adapter or network library"
URLLIB = "The app takes from urllib only the parser of addresses"
MERKLE = "The mathematics of the log reach nothing of the app"
WORKER = "The process that parses strangers' files reaches nothing of the app"
OPERATORS = "The operators' commands reach nothing of the app but the mathematics of the log"
STACK = "The local stack knows nothing of the app"
ROOMS = "Rooms of the access log import downwards: reading and integrity, proofs, storage"
CIRCLES = "No circle of imports"

CHECKED_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
IN_A_FUNCTION = "def planted():\n    "

# The file, the text to plant at the end, and the contracts to break.
VIOLATIONS = [
    ("shared/consents/rules.py", "import aiohttp", {PURE}),
    ("shared/backups/rules.py", "import a_network_library_that_no_list_names", {PURE}),
    ("shared/erasures/rules.py", IN_A_FUNCTION + "import asyncio", {PURE}),
    ("shared/consents/rules.py", CHECKED_ONLY + "from shared.tenancy.service import X", {PURE}),
    ("shared/residency.py", "import socket", {PURE}),
    ("shared/intake/rules.py", "from shared.messages.outbox import X", {PURE}),
    ("shared/intake/service.py", "from shared.azure.tables import AzureTables", {ADAPTERS}),
    ("functions/erasures.py", IN_A_FUNCTION + "from shared.azure.blobs import X", {ADAPTERS}),
    (
        "shared/composition/backups.py",
        IN_A_FUNCTION + "from shared.azure.recovery import X",
        {ADAPTERS},
    ),
    ("functions/assets.py", "from azure.storage.blob import BlobClient", {FUNCTIONS}),
    ("functions/tenancy.py", "from azure import cosmos", {FUNCTIONS}),
    ("shared/messages/outbox.py", "import azure.servicebus", {AZURE}),
    ("shared/composition/core.py", IN_A_FUNCTION + "import azure.identity", {AZURE}),
    ("functions/backups.py", "from functions.assets import blueprint", {TRIGGERS}),
    ("functions/edge/http.py", "from functions.consents import X", {TRIGGERS, CIRCLES}),
    ("functions/planted.py", "import typing", {TRIGGERS}),
    ("functions/system.py", "import urllib.request", {URLLIB}),
    ("shared/merkle/tree.py", "from shared.errors import RefusalError", {MERKLE}),
    ("shared/merkle/note.py", "import shared.compare_and_set", {MERKLE}),
    (
        "shared/accesslog/storage/layout.py",
        IN_A_FUNCTION + "from shared.accesslog.integrity.watch import X",
        {ROOMS, CIRCLES},
    ),
    (
        "shared/accesslog/integrity/audit.py",
        "from shared.accesslog.reading.exports import X",
        {ROOMS},
    ),
    ("shared/metadata/worker/result.py", "from shared.errors import X", {WORKER}),
    ("infra/ops/verify_log.py", "from shared.accesslog import LogStore", {OPERATORS}),
    ("infra/ops/verify_log.py", "from infra.local import ports", {OPERATORS}),
    ("infra/local/ports.py", "from shared.settings import Settings", {STACK}),
    ("shared/incidents/service.py", "from infra.local import ports", {APP}),
    ("shared/incidents/service.py", "from functions.edge.http import X", {APP}),
    ("shared/consents/service.py", "from shared.composition import flow", {LAYERS, COMPOSITION}),
    ("shared/consents/service.py", "from shared.erasures import Erasures", {LAYERS}),
    ("shared/planted/__init__.py", "import typing", {LAYERS}),
    (
        "shared/intake/records.py",
        CHECKED_ONLY + "from shared.intake.service import X",
        {CIRCLES},
    ),
    ("infra/local/ports.py", IN_A_FUNCTION + "import infra.local.stack", {CIRCLES}),
]


def broken(tree: Path) -> set[str]:
    """Return the names of the broken contracts of a tree."""
    checked = subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        check=False,
        cwd=tree,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert re.search(r"^Contracts: \d+ kept, \d+ broken\.$", checked.stdout, re.MULTILINE), (
        checked.stderr
    )
    names = set(re.findall(r"^(.+) BROKEN\b", checked.stdout, re.MULTILINE))
    assert checked.returncode == bool(names)
    return names


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the Python files of the app and its tools, with the contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            if "node_modules" not in source.parts:
                target = copy / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    shutil.copyfile(ROOT / "pyproject.toml", copy / "pyproject.toml")
    return copy


@pytest.fixture
def plant(tree: Path) -> Iterator[Path]:
    """Yield the copied tree, and restore the files after the test."""
    before = {path: path.read_bytes() for path in tree.rglob("*.py")}
    yield tree
    for path in tree.rglob("*.py"):
        if path not in before:
            path.unlink()
        elif path.read_bytes() != before[path]:
            path.write_bytes(before[path])


def test_every_contract_holds(tree):
    assert broken(tree) == set()


@pytest.mark.parametrize(("file", "text", "contracts"), VIOLATIONS)
def test_a_planted_violation_is_caught(plant, file, text, contracts):
    path = plant / file
    assert path.exists() or "planted" in file
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as source:
        source.write(f"\n\n{text}\n")
    assert contracts <= broken(plant)


def test_every_contract_catches_a_planted_violation():
    planted = {contract for _, _, contracts in VIOLATIONS for contract in contracts}
    named = set(re.findall(r'^name = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert planted == named - {"vouchsafe"}
