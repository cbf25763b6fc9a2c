"""Write the corpus: `python -m tests.scanning.corpus build/corpus`.

Each file's name begins with the verdict that is expected. The table of all cases, and a summary by
kind, are printed.
"""

import re
import sys
from collections import Counter
from pathlib import Path

from tests.scanning.corpus import CASES


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    counts: Counter[tuple[str, str]] = Counter()
    for number, case in enumerate(CASES):
        name = re.sub(r"[^A-Za-z0-9]+", "-", f"{case.expected.verdict} {number:03} {case}")
        (folder / f"{name.strip('-')}.bin").write_bytes(case.build())
        counts[case.kind, case.expected.verdict] += 1
        print(f"{case.expected!s:34} {case}")
    print("\nfiles  kind                 verdict")
    for (kind, verdict), count in counts.items():
        print(f"{count:5}  {kind:20} {verdict}")
    print(f"{len(CASES):5}  in all")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/corpus"))
