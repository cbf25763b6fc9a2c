"""Cold start: how long this app takes to load, against one that only says hello.

Each measure is a fresh process that does what Azure's Python worker does before an app can be
called (`infra.local.host.coldstart`): it imports the runtime library, loads the binding registry,
imports `function_app` and indexes its functions. `cold-start` is the ratio of the two whole times,
the import of the runtime included on both sides, as it is what a caller waits for on either;
starting the interpreter is in neither. `cold-start-difference` leaves the runtime out: it is what
this app's own import and indexing take beyond those of the other.

Both apps get the same settings and run in turns, so that whatever else the machine does meets both
alike. Their bytecode is compiled before, as Azure's build does; the medians are compared.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local import settings
from infra.local.errors import StackError
from infra.local.ports import Ports
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

RUNS = 21
HELLO = Path(__file__).parent / "hello"
APPS = (settings.ROOT, HELLO)


def run(step: Step) -> list[Result]:
    """Load both apps in turns. Raises StackError when one cannot be loaded."""
    # No service is asked anything while an app loads, so nothing needs to run behind these.
    environment = settings.base_environment(os.environ) | settings.app_settings(
        Ports(), settings.ROOT / "build/none.pem", "none"
    )
    for app in APPS:
        _load(app, environment)
    taken: dict[Path, list[float]] = {app: [] for app in APPS}
    for number in range(RUNS):
        step("loading both apps in turns", number, RUNS)
        for app in APPS:
            taken[app].append(_load(app, environment))
    ours, hello = (statistics.median(taken[app]) for app in APPS)
    return [
        Result("cold-start", ours / hello, "of a hello-world app's", "<= 1.5"),
        Result("cold-start-difference", (ours - hello) * 1000, "ms more than a hello-world app"),
    ]


def _load(app: Path, environment: Mapping[str, str]) -> float:
    """Load the app in a fresh process; the seconds it took.

    The first time compiles what has no bytecode yet: PYTHONDONTWRITEBYTECODE is not handed on.
    """
    done = subprocess.run(
        [sys.executable, "-m", "infra.local.host.coldstart", "--app", app],
        cwd=settings.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"The app in {app} cannot be loaded:\n{done.stderr}")
    return float(done.stdout)
