"""The corpus of the scanner: carriers of the test file, and honest files that look odd.

`python -m tests.scanning.corpus build/corpus` writes the files and a table. Nothing here is
dangerous: the only "malware" is the EICAR test file, which `samples/eicar.py` puts together.
"""

from tests.scanning.corpus.cases import Case, Expected
from tests.scanning.corpus.table import CASES

__all__ = ["CASES", "Case", "Expected"]
