"""Writing letters: the words of a kind with the values of a notice, in a language. Pure."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from shared.messages.contracts import Notice
from shared.notices.rules import NoticeRecord, kind_of
from shared.notices.texts.letter import Letter, Section
from shared.notices.texts.wordings import (
    DIGEST_REST,
    DIGEST_SUBJECT,
    DIGEST_TEXT,
    NOTICE_ID,
    OPTIONAL,
    PLAIN_TEXT,
    READ,
    TERMED,
    UNDETERMINED,
    UNKNOWN,
    VALUES,
    WHY,
    WORDINGS,
)

LOCALES: Final = Path(__file__).parent / "locales"
MOST_IN_DIGEST: Final = 50
"""The notices that a digest shows."""


class TemplateError(Exception):
    """A notice lacks a value that the text needs. The text of the error names the value."""


def letter_of(notice: Notice, notice_id: str, language: str, time_zone: str) -> Letter:
    """Write the letter of a notice. Raises TemplateError where the notice lacks a value."""
    translated = _translations(language)
    kind = kind_of(notice)
    subject = translated(WORDINGS[kind].subject)
    if kind == "incident" and _value(notice, "is_drill"):
        subject = f"[DRILL] {subject}"
    section = _section(notice, notice_id, language, time_zone)
    last = Section([translated(READ), translated(WHY)])
    return Letter(language, subject, [section, last])


def digest_letter(
    notices: Sequence[tuple[NoticeRecord, Notice]], count: int, language: str, time_zone: str
) -> Letter:
    """Write the letter of a digest of `count` notices, of which some are shown.

    Raises TemplateError.
    """
    translated = _translations(language)
    sections = [Section([translated(DIGEST_TEXT)])]
    for record, notice in notices[:MOST_IN_DIGEST]:
        title = translated(WORDINGS[record.kind].subject)
        section = _section(notice, record.id, language, time_zone)
        sections.append(Section(section.paragraphs, section.facts, title))
    if count > MOST_IN_DIGEST:
        sections.append(Section([translated(DIGEST_REST)]))
    sections.append(Section([translated(READ), translated(WHY)]))
    return Letter(language, f"{translated(DIGEST_SUBJECT)} ({count})", sections)


def plain_letter(kind: str, notice_id: str, event: bytes, language: str) -> Letter:
    """Write a notice without its text: kind, id, and the data as JSON."""
    translated = _translations(language)
    wording = WORDINGS.get(kind)
    subject = kind if wording is None else translated(wording.subject)
    text = msgspec.json.format(event, indent=2).decode()
    facts = [(translated(NOTICE_ID), notice_id)]
    return Letter(
        language,
        subject,
        [Section([translated(PLAIN_TEXT), text], facts), Section([translated(READ)])],
    )


def _section(notice: Notice, notice_id: str, language: str, time_zone: str) -> Section:
    translated = _translations(language)
    wording = WORDINGS[kind_of(notice)]
    facts: list[tuple[str, str]] = []
    for name, label in wording.facts.items():
        value = _value(notice, name)
        if value in (None, "", ()):
            if name in UNDETERMINED:
                facts.append((translated(label), translated(UNKNOWN)))
            elif name not in OPTIONAL:
                raise TemplateError(f"{kind_of(notice)}.{name}")
            continue
        if name in TERMED:
            value = translated(VALUES.get(value, value))
        facts.append((translated(label), _shown(value, language, time_zone)))
    facts.append((translated(NOTICE_ID), notice_id))
    return Section([translated(line) for line in wording.paragraphs], facts)


def _value(notice: Notice, name: str) -> Any:  # noqa: ANN401 - a field of any type
    try:
        return getattr(notice, name)
    except AttributeError:
        raise TemplateError(f"{kind_of(notice)}.{name}") from None


def _shown(value: object, language: str, time_zone: str) -> str:
    if isinstance(value, datetime):
        from babel.dates import format_datetime

        zone = ZoneInfo(time_zone)
        return format_datetime(value, "long", tzinfo=zone, locale=_locale(language))
    if isinstance(value, int):
        from babel.numbers import format_decimal

        return format_decimal(value, locale=_locale(language))
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


def _locale(language: str) -> str:
    # Days before months, as the readers of English in the EU write dates.
    return "en_GB" if language == "en" else language


class _Translations:
    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def __call__(self, text: str) -> str:
        return self._texts.get(text, text)


@cache
def _translations(language: str) -> _Translations:
    """Return the translations into a language; a text without translation stays English."""
    path = LOCALES / f"{language}.po"
    if language == "en" or not path.is_file():
        return _Translations({})
    return _Translations(catalogue(language))


def catalogue(language: str) -> dict[str, str]:
    """Return the translations of a language's file; none that a translator marked as fuzzy."""
    from babel.messages.pofile import read_po

    with (LOCALES / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=language)
    return {
        str(one.id): str(one.string)
        for one in messages
        if one.id and one.string and "fuzzy" not in one.flags
    }
