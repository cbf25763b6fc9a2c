"""Ways of writing names: which are found, how surely and how; which identifiers are refused."""

import pytest

from shared.errors import InvalidInputError
from shared.subjects.identifiers import LONGEST_IDENTIFIER, MOST_IDENTIFIERS
from shared.subjects.matching import Matcher
from tests.subjects.cases import APART, FOUND

ORDER = {"named": 0, "likely": 1, "possible": 2, None: 3}


def decide(identifier, text):
    matches = Matcher([identifier]).match("dc:title", text)
    return (matches[0].certainty, matches[0].how) if matches else (None, None)


@pytest.mark.parametrize(("language", "identifier", "text", "certainty"), FOUND)
def test_a_name_is_found_however_it_is_written(language, identifier, text, certainty):
    assert decide(identifier, text)[0] == certainty


@pytest.mark.parametrize(("language", "identifier", "text", "most"), APART)
def test_other_texts_are_not_taken_for_the_name(language, identifier, text, most):
    assert ORDER[decide(identifier, text)[0]] >= ORDER[most]


@pytest.mark.parametrize(
    ("identifier", "text", "how"),
    [
        ("Ida Quill", "Ida Quill", "whole"),
        ("Ida Quill", "Quill, Ida", "reordered"),
        ("Ida Quill", "Ida May Quill", "middle-name"),
        ("Ida Quill", "I. Quill", "initial"),
        ("Ida Quill", "Ida M. Quill", "initial"),
        ("Ida May Quill", "Ida Quill", "shortened"),
        ("Ruth von der Aue", "Ruth Aue", "particle"),
        ("Ida Quill", "Ida Quill-Venn", "double-name"),
        ("Jörg Möller", "Joerg Moeller", "digraph"),
        ("Иван Светлов", "Ivan Svetlov", "transliteration"),
        ("Иван Светлов", "Ивана Светлова", "inflected"),
        ("Nora Hahnke", "norahahnke", "joined"),
        ("Ida Quill", "Ida Qiull", "misspelling"),
        ("Annegret Weidenhammer", "Ole Kirsch, Annegret Weidenhamme", "beginning"),
        ("Ida Quill", "Ida and Peter Quill", "words-apart"),
        ("Ida Quill", "Ida Venn, Peter Quill", "words-apart"),
        ("陈美玲", "图为陈美玲在码头", "within"),
        ("ida@quill.example", "Ida <ida@quill.example>", "address"),
        ("ida@quill.example", "ida+x@quill.example", "address-tag"),
        ("ida@quill.example", "ida (at) quill.example", "address-respelt"),
        ("K-20417", "k-20417", "id"),
        ("K-20417", "K 20417", "id-respelt"),
        ("Ida Quill", "Quill", "surname"),
        ("Ida Quill", "Ida", "part"),
    ],
)
def test_the_code_tells_how_a_name_was_found(identifier, text, how):
    assert decide(identifier, text)[1] == how


@pytest.mark.parametrize(
    ("identifiers", "code", "place"),
    [
        ([], "identifier-missing", None),
        (["Ida"] * (MOST_IDENTIFIERS + 1), "too-many-identifiers", None),
        (["Ida", "I"], "identifier-too-short", 2),
        (["I. Q."], "identifier-too-short", 1),
        (["李"], "identifier-too-short", 1),
        (["7"], "identifier-too-short", 1),
        (["Ida", "", "Otto"], "identifier-empty", 2),
        ([" \u200b "], "identifier-empty", 1),
        (["!!! ???"], "identifier-empty", 1),
        (["\u0301\u0301"], "identifier-empty", 1),
        (["😀"], "identifier-empty", 1),
        (["Dr."], None, None),
        (["x" * (LONGEST_IDENTIFIER + 1)], "identifier-too-long", 1),
        (["x" * 10_000], "identifier-too-long", 1),
        (["Ida " * 17], "identifier-too-long", 1),
        (["Ida \ud800 Quill"], "identifier-unreadable", 1),
        (["Ida Quill"] * MOST_IDENTIFIERS, None, None),
        (["森 花"], None, None),
        (["Li Wu"], None, None),
        (["(.*)+ [Quill", "^$", "a{9999}"][:1], None, None),
    ],
)
def test_an_identifier_that_finds_nothing_or_everything_is_refused(identifiers, code, place):
    if code is None:
        Matcher(identifiers)
        return
    with pytest.raises(InvalidInputError) as raised:
        Matcher(identifiers)
    assert raised.value.code == code
    assert place is None or f"Identifier {place} " in raised.value.detail
    assert raised.value.remedy
