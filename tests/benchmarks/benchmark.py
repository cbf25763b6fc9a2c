"""A benchmark as data: name, sizes, expected times, goals, and the measuring function."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.benchmarks.results import Result

type Step = Callable[[str, int, int], None]
"""Take the name of the work under way, the amount done, and the whole amount."""


class Size(StrEnum):
    """The amount of work in a run.

    `SMALL` tries every benchmark in three minutes, and holds no figure to a goal. `DEFAULT` ends
    within ten minutes on two cores. `FULL` has films of 1 and 4 GiB, 1,000 photos and logs of
    1,000,000 entries, and takes half an hour.
    """

    SMALL = "small"
    DEFAULT = "default"
    FULL = "full"


@dataclass(frozen=True)
class BySize[T]:
    """A value for each size of a run."""

    small: T
    default: T
    full: T

    def at(self, size: Size) -> T:
        """Return the value for `size`."""
        match size:
            case Size.SMALL:
                return self.small
            case Size.DEFAULT:
                return self.default
            case Size.FULL:
                return self.full


@dataclass(frozen=True)
class Benchmark:
    """A named measurement.

    `measures` is one line for a person. `run` yields each figure when the figure is known.
    `seconds` is the expected duration on two cores. `goals` maps a figure to its goal.
    """

    name: str
    measures: str
    run: Callable[[Step, Size], Iterable[Result]]
    seconds: BySize[float]
    goals: Mapping[str, str] = field(default_factory=dict)
