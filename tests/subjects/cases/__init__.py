"""Ways of writing a person's name, and what must not be taken for the name.

All people are invented. `python -m tests.subjects.cases` prints recall and precision.
"""

from tests.subjects.cases.apart import APART
from tests.subjects.cases.found import FOUND

__all__ = ["APART", "FOUND"]
