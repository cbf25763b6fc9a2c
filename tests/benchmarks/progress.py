"""How a benchmark tells where it is."""

from collections.abc import Callable

type Step = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and how much there is."""
