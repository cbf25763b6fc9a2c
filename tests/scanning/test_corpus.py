"""Every file of the corpus gets its verdict."""

import io
import re
from pathlib import Path

import pytest

from shared.scanning.yara import Signatures
from tests.scanning.corpus import CASES, Case
from tests.scanning.corpus.cases import verdict


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_file_of_the_corpus_gets_its_verdict(scanner, case):
    data = case.build()
    scan = scanner.begin()
    scan.feed(data)
    said = verdict(scan.finish(io.BytesIO(data)))
    assert case.expected.allows(said), said


def plain(name: str) -> str:
    """Return the name of a format without the variant."""
    return re.split(r" \(| \d|, | with | of | behind ", name)[0].removeprefix("old ").lower()


def test_the_page_tells_of_every_note_and_every_refused_format():
    page = (Path(__file__).parents[2] / "docs/explanation/scanning.md").read_text()
    noted = {kind for case in CASES if case.expected.verdict == "noted" for kind in reasons(case)}
    assert {kind for kind in noted if f"| `{kind}` |" not in page} == set()
    refused = " ".join(page.partition("## Refused")[2].partition("## Noted")[0].split()).lower()
    closed = (case for case in CASES if case.kind == "closed format")
    named = {plain(case.name) for case in closed if case.expected.verdict == "refused"}
    assert {name for name in named if name not in refused} == set()


def reasons(case: Case) -> tuple[str, ...]:
    return case.expected.reasons
