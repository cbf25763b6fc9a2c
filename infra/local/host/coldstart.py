"""``python -m infra.local.host.coldstart --app <folder>``: measure the loading of an app.

Prints the seconds of a fresh process for the work of Azure's worker before the first call: import
the runtime library, load the library's binding registry, import the app, index the app's functions
and check the bindings. The host's own triggers are not loaded.
"""

import argparse
import time
from pathlib import Path


def main() -> None:
    """Load the app once and print the duration in seconds."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.host.coldstart")
    parser.add_argument("--app", type=Path, required=True, help="folder of function_app.py")
    folder = parser.parse_args().app.resolve()
    started = time.perf_counter()
    # Measured too: this import loads the runtime library.
    from infra.local.host.loading import load

    load(folder)
    print(f"{time.perf_counter() - started:.6f}")


if __name__ == "__main__":
    main()
