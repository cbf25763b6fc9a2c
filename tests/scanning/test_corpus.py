"""Every file of the corpus gets its verdict."""

import io

import pytest

from shared.scanning.yara import Signatures
from tests.scanning.corpus import CASES
from tests.scanning.corpus.cases import verdict


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_file_of_the_corpus_gets_its_verdict(scanner, case):
    data = case.build()
    scan = scanner.begin()
    scan.feed(data)
    assert verdict(scan.finish(io.BytesIO(data))) == case.expected
