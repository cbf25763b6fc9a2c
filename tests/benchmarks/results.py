"""The result of a measurement: one figure, and the goal for the figure."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Result:
    """One figure.

    `value` is a ratio of two measurements of the same run, unless `unit` names a unit. `goal` is
    a bound such as `<= 1.5`, or None for a figure without a goal.
    """

    name: str
    value: float
    unit: str
    goal: str | None = None

    @property
    def is_met(self) -> bool | None:
        """Tell whether the figure meets its goal; None without a goal.

        Raises ValueError for a goal that is no bound.
        """
        if self.goal is None:
            return None
        sign, _, limit = self.goal.partition(" ")
        if sign not in _COMPARE:
            raise ValueError(f"{self.goal!r} is not a goal such as '<= 1.5'")
        return _COMPARE[sign](self.value, float(limit))
