"""``python -m infra.local.host.coldstart --app <folder>``: how long an app takes to load.

Prints the seconds that a fresh process spends on what Azure's worker does before an app can be
called: importing the runtime library, loading its binding registry, importing the app, indexing
its functions and checking their bindings. Nothing of the host's own triggers is loaded.
"""

import argparse
import time
from pathlib import Path


def main() -> None:
    """Load the app once and print the seconds it took."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.host.coldstart")
    parser.add_argument("--app", type=Path, required=True, help="folder of function_app.py")
    folder = parser.parse_args().app.resolve()
    started = time.perf_counter()
    # Inside the measure, as it is what imports the runtime library.
    from infra.local.host.loading import load

    load(folder)
    print(f"{time.perf_counter() - started:.6f}")


if __name__ == "__main__":
    main()
