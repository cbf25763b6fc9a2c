"""The record of a run: each figure is in the file as soon as the figure is known."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.local.settings import ROOT
from tests.benchmarks.benchmark import Size
from tests.benchmarks.results import Result


@dataclass(frozen=True)
class Origin:
    """The circumstances of a run.

    `date` is the start in RFC 3339. `commit` ends with `-dirty` for a changed working tree, and
    is "unknown" without Git. `cores` are the processors that the run may use.
    """

    date: str
    commit: str
    cores: int
    size: Size

    @classmethod
    def of_now(cls, size: Size) -> "Origin":
        """Return the circumstances of a run that starts now."""
        date = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(date, _commit(), os.process_cpu_count() or 1, size)


@dataclass
class Record:
    """A run: the figures, the seconds of each finished benchmark, and the failures by name.

    Every change is written to `file`, a JSON list with one object a figure.
    """

    origin: Origin
    file: Path
    results: list[Result] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Replace the figures of an earlier run in the file."""
        self._save()

    def add(self, result: Result) -> None:
        """Add a figure. Raises ValueError for a figure whose goal is no bound."""
        _ = result.is_met
        self.results.append(result)
        self._save()

    @property
    def missed(self) -> list[Result]:
        """Return the figures without a met goal."""
        return [result for result in self.results if result.is_met is False]

    def _save(self) -> None:
        about = {"date": self.origin.date, "commit": self.origin.commit, "size": self.origin.size}
        figures = [asdict(one) | {"holds": one.is_met} | about for one in self.results]
        replace_json(self.file, figures)


def replace_json(file: Path, content: list[Mapping[str, Any]] | list[dict[str, Any]]) -> None:
    """Write JSON to a file beside `file` and rename: readers see the old file or the new file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(content, indent=2) + "\n")
    beside.replace(file)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
