"""Every text in every language, and every value at its place."""

import html
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.messages.contracts import (
    BreachNotified,
    ConsentChanged,
    ErasureProgressed,
    IncidentEscalated,
    MaintenancePlanned,
    UploadInfected,
)
from shared.messages.contracts.notices import NOTICE_CONTRACTS
from shared.notices.contact_rules import LANGUAGES
from shared.notices.rules import KINDS, MANDATORY, kind_of
from shared.notices.texts import letter_of, plain_letter
from shared.notices.texts.wordings import WORDINGS, messages
from shared.notices.texts.writing import TemplateError, catalogue

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
LONG = "x" * 4000
EXAMPLES = {
    "str": "text",
    "int": 3,
    "bool": False,
    "datetime": NOW,
}


def example(contract, **given):
    """A notice of a contract, with a value in every field."""
    values = {}
    for field in msgspec.structs.fields(contract):
        values[field.name] = given.get(field.name, _value(field.type))
    return contract(**values)


def _value(kind):
    info = msgspec.inspect.type_info(kind)
    return _of(info)


def _of(info):  # noqa: PLR0911 - a line for each kind of type
    match info:
        case msgspec.inspect.Metadata():
            return _of(info.type)
        case msgspec.inspect.UnionType():
            return _of(info.types[0])
        case msgspec.inspect.LiteralType():
            return info.values[0]
        case msgspec.inspect.VarTupleType():
            return (_of(info.item_type),)
        case msgspec.inspect.StructType():
            return example(info.cls)
        case msgspec.inspect.DateTimeType():
            return NOW
        case msgspec.inspect.IntType():
            return 3
        case msgspec.inspect.BoolType():
            return False
    return "text"


NOTICES = [
    *(example(c) for c in NOTICE_CONTRACTS if c not in (ConsentChanged, ErasureProgressed)),
    *(example(ConsentChanged, change=c) for c in ("granted", "revoked", "lapsed", "used")),
    *(example(ErasureProgressed, step=s) for s in ("awaiting-approval", "completed")),
]


def test_there_is_a_wording_for_every_kind():
    assert {kind_of(notice) for notice in NOTICES} == WORDINGS.keys()
    assert WORDINGS.keys() == {*KINDS, "incident"}
    assert set(KINDS) >= MANDATORY


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_no_text_is_missing_in_any_language(language):
    found = catalogue(language)
    assert found.keys() == messages()
    assert all(text.strip() for text in found.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("notice", NOTICES, ids=kind_of)
def test_text_and_html_have_the_same_content(notice, language):
    letter = letter_of(notice, "01NOTICE", language, "Europe/Oslo")
    words = re.sub(r"<[^>]*>", " ", letter.html.partition("<body>")[2])
    assert html.unescape(words).split() == letter.text.split()
    assert "01NOTICE" in letter.text


@pytest.mark.parametrize("notice", NOTICES, ids=kind_of)
def test_a_subject_has_no_value_of_the_notice(notice):
    letter = letter_of(notice, "01NOTICE", "en", "UTC")
    assert letter.subject == WORDINGS[kind_of(notice)].subject


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "2 March 2026, 00:30:00 CET"),
        ("de", "2. März 2026, 00:30:00 MEZ"),
        ("fr", "2 mars 2026, 00:30:00 +0100"),
        ("nb", "2. mars 2026, 00:30:00 CET"),
    ],
)
def test_times_are_in_the_contacts_zone(language, shown):
    notice = UploadInfected(tenant="acme", asset_id="a", found_at=NOW)
    text = letter_of(notice, "n", language, "Europe/Berlin").text
    assert shown in text.replace("\u202f", " ").replace("\u00a0", " ")


def test_html_of_strangers_is_shown_as_text():
    notice = example(MaintenancePlanned, work="<script>alert(1)</script> & {work} %s")
    letter = letter_of(notice, "n", "en", "UTC")
    assert "<script" not in letter.html
    assert "&lt;script&gt;" in letter.html
    assert "<script>alert(1)</script> & {work} %s" in letter.text


def test_what_the_evidence_cannot_tell_is_said():
    notice = example(BreachNotified, person_count=None, unknown="The log has a gap.")
    text = letter_of(notice, "n", "en", "UTC").text
    assert "Number of persons: could not be determined" in text
    assert "Not determined, because: The log has a gap." in text


def test_a_zero_is_a_value():
    text = letter_of(example(BreachNotified, asset_count=0), "n", "en", "UTC").text
    assert "Number of assets: 0" in text


def test_a_notice_that_lacks_a_value_is_refused_and_written_plainly():
    notice = example(BreachNotified, what_happened="")
    with pytest.raises(TemplateError, match=r"breach\.what_happened"):
        letter_of(notice, "n", "en", "UTC")
    letter = plain_letter("breach", "n", msgspec.json.encode(notice), "fr")
    assert "breachId" in letter.text
    assert letter.subject.startswith("Violation")


def test_a_drill_of_staff_says_so():
    letter = letter_of(example(IncidentEscalated, is_drill=True), "n", "en", "UTC")
    assert letter.subject.startswith("[DRILL]")


def test_a_long_breach_is_written_quickly_and_whole():
    notice = example(
        BreachNotified,
        what_happened=LONG,
        assets=tuple(f"assets/{n}" for n in range(100)),
        tenant_deadline=NOW + timedelta(hours=72),
    )
    letter = letter_of(notice, "n", "nb", "Europe/Oslo")
    assert LONG in letter.text
    assert "assets/99" in letter.html
