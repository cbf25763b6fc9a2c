"""Matching on any text: hostile, long, in any form and order."""

import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.subjects.folding import clean, spell
from shared.subjects.matching import Match, Matcher
from tests.subjects.cases import FOUND

ORDER = {"named": 0, "likely": 1, "possible": 2, None: 3}


def decide(identifier, text):
    matches = Matcher([identifier]).match("dc:title", text)
    return (matches[0].certainty, matches[0].how) if matches else (None, None)


def test_each_identifier_has_its_surest_match():
    matcher = Matcher(["Ida Quill", "Otto Venn", "ida@quill.example", "Tessa Marlowe"])
    assert matcher.match(
        "dc:creator", "I. Quill and Ida Quill <ida@quill.example>, T. Marlowe"
    ) == [
        Match(identifier=0, field="dc:creator", certainty="named", how="whole"),
        Match(identifier=2, field="dc:creator", certainty="named", how="address"),
        Match(identifier=3, field="dc:creator", certainty="likely", how="initial"),
    ]


def test_other_readings_of_a_text_count():
    matcher = Matcher(["山本葵"])
    as_latin = "山本葵".encode("shift-jis").decode("cp1252", "replace")
    assert matcher.match("2:80", as_latin) == []
    assert matcher.match("2:80", as_latin, ["山本葵"])[0].certainty == "named"


def test_two_hundred_identifiers_are_looked_for_at_once():
    names = [f"Nora{chr(97 + number // 26)} Hahnke{chr(97 + number % 26)}" for number in range(200)]
    assert [each.identifier for each in Matcher(names).match("x", names[137])][:1] != []
    found = {each.identifier: each.certainty for each in Matcher(names).match("x", names[137])}
    assert found[137] == "named"
    assert all(certainty != "named" for place, certainty in found.items() if place != 137)


@pytest.mark.parametrize("offset", [0, 7_590, 7_600, 7_995, 8_000, 15_190, 15_600, 50_000])
def test_a_name_in_a_long_text_is_found_wherever_it_stands(offset):
    text = "word " * (offset // 5) + "Ida Quill" + " word" * 12_000
    assert decide("Ida Quill", text) == ("named", "whole")


@pytest.mark.parametrize(
    "text",
    [
        "e" + "\u0301\u0316" * 200_000,
        "\ufdfa" * 100_000,
        " " * 1_000_000,
        "(" * 300_000,
        "a@" * 100_000,
        "'" * 300_000,
        "a" * 1_000_000,
        "( at " * 100_000,
        "%41" * 200_000,
        "\ud800" * 100_000,
        "Ida. " * 100_000,
        "山" * 300_000,
    ],
    ids=str.__len__,
)
def test_a_hostile_text_is_read_to_its_end(text):
    assert decide("Ida Quill", f"{text} , Ida Quill")[0] == "named"


TEXTS = st.text(max_size=60) | st.text(
    alphabet="Idaquil Quill,.;-_'@()[]éüøå\u0301\u0308\u2011\ufffd?%2041山陈김สмиа\u0627\u064e",
    max_size=80,
)
NAMES = st.sampled_from([identifier for _, identifier, _, _ in FOUND])


@given(TEXTS, NAMES)
def test_every_text_is_read(text, name):
    for match in Matcher([name, "Ida Quill"]).match("x", text):
        assert match.certainty in ORDER


@given(TEXTS)
def test_every_text_is_an_identifier_or_refused(text):
    with contextlib.suppress(InvalidInputError):
        Matcher([text]).match("x", text)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_the_form_of_normalisation_changes_nothing(form):
    # Bytes that were read in a wrong encoding are no letters to normalise.
    cases = [case for case in FOUND if case[0] != "encodings"]
    assert [
        case
        for case in cases
        if decide(case[1], unicodedata.normalize(form, case[2]))[0] != case[3]
        or decide(unicodedata.normalize(form, case[1]), case[2])[0] != case[3]
    ] == []


def test_an_identifier_in_capitals_is_the_same_identifier():
    assert [
        case for case in FOUND if decide(case[1].upper(), case[2])[0] not in {case[3], "named"}
    ] == []


@given(st.lists(NAMES, min_size=1, max_size=5), st.sampled_from(FOUND), st.randoms())
def test_the_order_of_the_identifiers_changes_nothing(names, case, random):
    names = [*names, case[1]]
    shuffled = random.sample(names, len(names))
    one = {names[each.identifier]: each for each in Matcher(names).match("x", case[2])}
    other = {shuffled[each.identifier]: each for each in Matcher(shuffled).match("x", case[2])}
    assert {name: (each.certainty, each.how) for name, each in one.items()} == {
        name: (each.certainty, each.how) for name, each in other.items()
    }


@given(TEXTS)
def test_cleaning_a_clean_text_changes_nothing(text):
    if "%" not in text and "?" not in text:
        assert clean(clean(text)) == clean(text)


@given(st.text(max_size=20))
def test_a_plain_spelling_is_its_own_plain_spelling(word):
    for spelling in spell(clean(word)):
        assert spelling.plain in {each.plain for each in spell(spelling.plain)}


@pytest.mark.parametrize(
    ("identifier", "field", "text", "expected"),
    [
        # A name of one word is sure where the field names people, and nothing else stands there.
        ("Madelyne", "dc:creator", "Madelyne", ("named", "whole")),
        ("Madelyne", "dc:creator", "Ms Madelyne", ("named", "whole")),
        ("Madelyne", "ID3:TPE1", "Ole; Madelyne", ("named", "whole")),
        ("Madelyne", "Iptc4xmpExt:PersonInImage", "Madelyne and Ole", ("named", "whole")),
        ("Hahn", "dc:creator", "Peter Hahn", ("likely", "single-word")),
        ("Hahn", "IPTC:2:80 By-line", "Hahn Verlag", ("likely", "single-word")),
        # Elsewhere the word may be a place, a firm, or a common word.
        ("Rose", "dc:description", "A rose in the garden", ("likely", "single-word")),
        ("Rose", "dc:subject", "Rose", ("likely", "single-word")),
        ("Rose", "path", "garden/Rose/1.jpg", ("likely", "single-word")),
        ("Paris", "photoshop:Headline", "Paris, at night", ("likely", "single-word")),
        ("Петров", "dc:title", "Петров", ("likely", "single-word")),
        ("Петров", "dc:creator", "Петров", ("named", "whole")),
        # A full name, an address and an id are sure everywhere.
        ("Ida Quill", "dc:description", "Ida Quill at the sea", ("named", "whole")),
        ("Ida Quill", "path", "Ida_Quill/1.jpg", ("named", "whole")),
        ("王伟", "dc:description", "王伟", ("named", "whole")),
        ("김민수", "dc:description", "김민수", ("named", "whole")),
        ("ida@quill.example", "dc:description", "ida@quill.example", ("named", "address")),
        ("K-20417", "dc:description", "K-20417", ("named", "id")),
    ],
)
def test_a_field_that_names_people_makes_a_single_word_sure(identifier, field, text, expected):
    [match] = Matcher([identifier]).match(field, text)
    assert (match.certainty, match.how) == expected
