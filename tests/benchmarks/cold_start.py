"""Cold start: the time to load this app, against the time to load a hello-world app.

Each measurement is a fresh process that does the work of Azure's Python worker before the first
call (`infra.local.host.coldstart`). The worker imports the runtime library, loads the binding
registry, imports `function_app`, and indexes the functions. `cold-start` is the ratio of the whole
times. The import of the runtime counts for either app, as every caller waits for the import. The
start of the interpreter does not count. `cold-start-difference` is the difference of the two times,
in which the runtime cancels out.

Both apps have the same settings. The apps take turns, and a busy machine weighs on each alike. The
bytecode is compiled before, as in Azure's build. The medians are compared.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from infra.local import settings
from infra.local.errors import StackError
from infra.local.ports import Ports
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.results import Result

RUNS: Final = BySize(3, 11, 21)
HELLO: Final = Path(__file__).parent / "hello"
APPS: Final = (settings.ROOT, HELLO)
# Flex Consumption starts instances on demand, and a caller waits: half a hello-world app's start on
# top at most. The project's own bound.
GOALS: Final = {"cold-start": "<= 1.5"}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Load both apps in turns. Raises StackError for an app that cannot be loaded."""
    # No service runs at the addresses: an app asks nothing while loading.
    environment = settings.base_environment(os.environ) | settings.app_settings(
        Ports(), settings.ROOT / "build/none.pem", "none"
    )
    for app in APPS:
        _load(app, environment)
    taken: dict[Path, list[float]] = {app: [] for app in APPS}
    runs = RUNS.at(size)
    for number in range(runs):
        step("loading both apps in turns", number, runs)
        for app in APPS:
            taken[app].append(_load(app, environment))
    ours, hello = (statistics.median(taken[app]) for app in APPS)
    return [
        Result("cold-start", ours / hello, "of a hello-world app's", GOALS["cold-start"]),
        Result("cold-start-difference", (ours - hello) * 1000, "ms more than a hello-world app"),
    ]


def _load(app: Path, environment: Mapping[str, str]) -> float:
    """Load the app in a fresh process and return the seconds.

    The first load writes missing bytecode: PYTHONDONTWRITEBYTECODE is not handed on.
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


BENCHMARK: Final = Benchmark(
    "cold-start",
    "loading the app, against a hello-world app",
    run,
    BySize(2, 8, 15),
    GOALS,
)
