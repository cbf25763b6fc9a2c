"""What clamd says of the corpus, beside yara-x: clamd has limits of its own.

The verdicts are printed by kind (`pytest -s`). docs/explanation/scanning.md keeps a summary.
"""

from collections import Counter
from datetime import UTC, datetime

from shared.ports import BlobInfo
from shared.scanning.clamd import ClamdScanner
from tests.clamd.conftest import MAX_STREAM, Clamd
from tests.scanning.corpus import CASES, Case
from tests.scanning.corpus.cases import CLEAN, INFECTED, Expected, verdict


async def verdicts(clamd: Clamd) -> dict[Case, Expected]:
    scanner = ClamdScanner(clamd.path, MAX_STREAM)
    said = {}
    for case in CASES:
        data = case.build()
        blob = BlobInfo("incoming", "acme/a", '"0x1"', len(data), datetime.now(UTC))
        scan = await scanner.begin("an-asset", blob)
        try:
            scan.feed(data)
            said[case] = verdict(scan.finish(None))
        finally:
            scan.close()
    return said


async def test_clamd_calls_no_honest_file_infected(clamd):
    said = await verdicts(clamd)
    counts = Counter((case.kind, case.expected.verdict, one.verdict) for case, one in said.items())
    print("\nfiles  kind                 yara-x     clamd")
    for (kind, ours, theirs), count in sorted(counts.items()):
        print(f"{count:5}  {kind:20} {ours:10} {theirs}")
    for case, one in said.items():
        if case.kind.startswith("honest") and one.verdict != CLEAN:
            print(f"clamd: {one}  {case}")
        if case.expected.verdict == INFECTED and one.verdict == CLEAN:
            print(f"clamd misses  {case}")
    honest = [case for case in CASES if case.kind.startswith("honest")]
    assert [str(case) for case in honest if said[case].verdict == INFECTED] == []
