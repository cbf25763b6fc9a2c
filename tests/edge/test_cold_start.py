"""What a cold start imports: not what only some functions need."""

import subprocess
import sys

from infra.local.ports import Ports
from infra.local.settings import ROOT, app_settings

# Each of them with what it brings along took a tenth of a cold start or more.
LATER = (
    "shared.accesslog.storage.store",
    "shared.merkle",
    "shared.azure.tables",
    "azure.servicebus",
)
LOAD = "import sys, function_app; print(*sys.modules)"


def test_an_app_that_has_only_been_loaded_has_not_imported_what_few_functions_need(tmp_path):
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env=app_settings(Ports(), tmp_path / "ca.pem", "header"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "functions.accesslog.entries" in loaded
    assert [module for module in LATER if module in loaded] == []
