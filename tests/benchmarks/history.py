"""The history of kept runs, in the repository as JSON, and the comparison with a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.benchmark import Size
from tests.benchmarks.record import Record, replace_json

HISTORY: Final = Path(__file__).parent / "history.json"

type Run = Mapping[str, Any]
"""A kept run: `date`, `commit`, `cores` and `size` as `Origin` has them, and the two mappings
`seconds` (by benchmark) and `figures` (by figure)."""


def load(file: Path = HISTORY) -> Sequence[Run]:
    """Return the kept runs, oldest first; a missing file has no runs."""
    return json.loads(file.read_text()) if file.exists() else []


def keep(record: Record, file: Path = HISTORY) -> None:
    """Append a run to the history, with four significant digits a number."""
    figures = {result.name: result.value for result in record.results}
    run = asdict(record.origin) | {
        "seconds": _rounded(record.seconds),
        "figures": _rounded(figures),
    }
    replace_json(file, [*load(file), run])


def newest(runs: Sequence[Run], size: Size, kind: str) -> Mapping[str, float]:
    """Return the newest kept value of each name at `size`; `kind` is "figures" or "seconds".

    A kept run of some benchmarks replaces the values of these benchmarks alone.
    """
    values: dict[str, float] = {}
    for run in runs:
        if run["size"] == size:
            values |= run[kind]
    return values


def last(runs: Sequence[Run], size: Size) -> Run | None:
    """Return the newest kept run of `size`, or None."""
    return next((run for run in reversed(runs) if run["size"] == size), None)


def ratio(value: float, before: float | None) -> float | None:
    """Return a figure over the last kept value; None without a value, or with zero."""
    return value / before if before else None


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in values.items()}
