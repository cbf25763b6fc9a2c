"""The choice of the fast tests: every pure test is in, and a fast run imports nothing of Azure."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fast import REFUSED, ROOT, slow_import

RunFast = Callable[[str], subprocess.CompletedProcess[str]]

PURE = (
    "**/test_rules.py",
    "merkle/test_*.py",
    "metadata/test_[!sw]*.py",
    "local/servicebus/test_framing.py",
    "local/servicebus/test_message_format.py",
    "local/servicebus/test_queue*.py",
    "local/servicebus/test_sasl.py",
)


@pytest.mark.parametrize("pattern", PURE)
def test_every_pure_test_is_fast(pattern):
    found = list((ROOT / "tests").glob(pattern))
    assert found
    assert {path.name: slow_import(path) for path in found} == {path.name: None for path in found}


def test_no_conftest_beside_a_pure_test_imports_what_a_fast_run_refuses():
    """pytest imports the conftest of a file's folder before a fast run begins to refuse."""
    tests = ROOT / "tests"
    folders = {path.parent for pattern in PURE for path in tests.glob(pattern)}
    modules = [
        ".".join(conftest.relative_to(ROOT).with_suffix("").parts)
        for folder in sorted(folders)
        if (conftest := folder / "conftest.py").is_file() and folder != tests / "local/servicebus"
    ]
    assert modules
    code = f"import {', '.join(modules)}, sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(REFUSED) & set(done.stdout.split())


@pytest.fixture
def run_fast(tmp_path: Path) -> RunFast:
    """Return a function that runs one test in a fast run of its own."""

    def run(test: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_planted.py").write_text(test, encoding="utf-8")
        options = ["--fast", "-p", "tests.fast", "--rootdir", tmp_path]
        return subprocess.run(
            [sys.executable, "-m", "pytest", *options, tmp_path],
            check=False,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    return run


def test_a_fast_test_that_comes_to_import_azure_fails(run_fast):
    called = (
        "import importlib\ndef test():\n"
        "    try:\n        importlib.import_module('azure.storage.blob')\n"
        "    except ImportError:\n        pass\n"
    )
    ran = run_fast(called)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert "a fast test imports azure" in ran.stdout


@pytest.mark.parametrize("caught", ["ImportError", "RuntimeError", "Exception"])
def test_no_handler_of_errors_hides_the_import(run_fast, caught):
    ran = run_fast(
        "import importlib\ndef test():\n"
        "    try:\n        importlib.import_module('azure.storage.blob')\n"
        f"    except {caught}:\n        pass\n"
    )
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert "a fast test imports azure" in ran.stdout


def test_a_pure_module_that_comes_to_import_azure_fails_the_run(run_fast):
    ran = run_fast("from shared.composition import adapters\nimport shared.rows\n")
    assert ran.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    planted = "import importlib\nimportlib.import_module('shared.azure.tables')\ndef test(): pass"
    ran = run_fast(planted)
    assert ran.returncode == pytest.ExitCode.INTERRUPTED
    assert "a fast test imports azure" in ran.stdout


@pytest.mark.parametrize(
    "test",
    [
        "import azure.storage.blob\ndef test(): pass",
        "def test():\n    from infra.local.stack import Stack",
        "from tests.queues import peeked\ndef test(): pass",
        "import subprocess\ndef test(): pass",
        "def test():\n    from multiprocessing import Process",
        (
            "import pytest\n@pytest.fixture\ndef stack(): pass\n"
            "@pytest.fixture\ndef app(stack): pass\ndef test(app): pass"
        ),
    ],
)
def test_a_slow_test_is_left_out(run_fast, test):
    ran = run_fast(test)
    assert ran.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, ran.stdout
