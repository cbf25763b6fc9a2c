"""`python -m tests.benchmarks`: run the benchmarks; `--help` lists the names.

Every figure is in build/bench.json as soon as the figure is known. Ends with status 1 when a
benchmark fails or a goal is missed, and with 130 when interrupted. No process is left behind.
"""

import argparse
import signal
import sys
from typing import Final

from rich.console import Console

from infra.local.settings import ROOT
from tests.benchmarks import history
from tests.benchmarks.benchmark import Size
from tests.benchmarks.record import Origin, Record
from tests.benchmarks.registry import BENCHMARKS
from tests.benchmarks.report import Bars, complaints, figures, listing
from tests.benchmarks.runner import expected_seconds, run_all

FILE: Final = ROOT / "build/bench.json"
LOG: Final = ROOT / "build/bench.log"
# The shell's status for a program that SIGINT ended: 128 and the number of the signal.
INTERRUPTED: Final = 130


def main() -> int:
    """Run the command and return its status."""
    arguments = _arguments()
    chosen = [one for one in BENCHMARKS if one.name in (arguments.only or [one.name])]
    record = Record(Origin.of_now(arguments.size), FILE)
    runs = history.load()
    console = Console()
    # SIGTERM ends a run as Ctrl-C does: the stacks are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    is_interrupted = False
    expected = expected_seconds(
        chosen, arguments.size, history.newest(runs, arguments.size, "seconds")
    )
    try:
        with Bars(console, expected) as bars:
            run_all(chosen, record, bars, LOG)
    except KeyboardInterrupt:
        is_interrupted = True
    before = history.newest(runs, arguments.size, "figures")
    console.print(figures(record, before, history.last(runs, arguments.size)))
    console.print(f"Written to {FILE.relative_to(ROOT)}.")
    if is_interrupted:
        console.print("Interrupted: the figures until then are kept in the file.")
        return INTERRUPTED
    if arguments.keep:
        history.keep(record)
        console.print(f"Added to {history.HISTORY.relative_to(ROOT)}.")
    problems = complaints(record, str(LOG.relative_to(ROOT)))
    for problem in problems:
        console.print(problem, style="red", markup=False)
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Run the benchmarks and compare the figures with the last kept run.",
        epilog=listing(BENCHMARKS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [one.name for one in BENCHMARKS]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help="run these alone")
    parser.add_argument(
        "--size",
        type=Size,
        choices=list(Size),
        default=Size.DEFAULT,
        help="small: 3 minutes, held to no goal; default: under 10 minutes; full: half an hour",
    )
    parser.add_argument("--keep", action="store_true", help="add the run to the history")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
