"""What a benchmark comes to: one figure, and the goal that it is held to."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Result:
    """One figure. `value` is a ratio of two things measured in the same run unless `unit` says
    otherwise. `goal` is such as `<= 1.5`, or None for a figure that is only reported.
    """

    name: str
    value: float
    unit: str
    goal: str | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without one. Raises ValueError for a goal that is none."""
        if self.goal is None:
            return None
        sign, _, limit = self.goal.partition(" ")
        if sign not in _COMPARE:
            raise ValueError(f"{self.goal!r} is not a goal such as '<= 1.5'")
        return _COMPARE[sign](self.value, float(limit))


def write(results: Sequence[Result], file: Path) -> None:
    """Write the results as a JSON list of objects with name, value, unit, goal and holds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    records = [asdict(result) | {"holds": result.holds} for result in results]
    file.write_text(json.dumps(records, indent=2) + "\n")


def table(results: Sequence[Result]) -> Table:
    """The results for a person to read."""
    answers = {None: "", True: "yes", False: "[bold red]no[/]"}
    made = Table("name", "value", "unit", "goal", "holds", title="Benchmarks")
    made.columns[1].justify = "right"
    for result in results:
        value = f"{result.value:,.3g}" if abs(result.value) < 100 else f"{result.value:,.0f}"
        made.add_row(result.name, value, result.unit, result.goal or "", answers[result.holds])
    return made
