"""A letter: the content of a notice for a person, written as text and as simple HTML. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_PAGE = Markup(
    '<!doctype html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{title}</title>'
    "</head>\n<body>\n{body}\n</body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a letter: paragraphs, then facts with their labels."""

    paragraphs: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """The content of a notice in a language. Text and HTML have the same content."""

    language: str
    subject: str
    sections: Sequence[Section]

    @property
    def text(self) -> str:
        """The letter as plain text."""
        parts: list[str] = []
        for section in self.sections:
            parts += [] if section.title is None else [section.title]
            parts += section.paragraphs
            if section.facts:
                parts.append("\n".join(f"{label}: {value}" for label, value in section.facts))
        return "\n\n".join(parts) + "\n"

    @property
    def html(self) -> str:
        """The letter as HTML without links, pictures and scripts."""
        parts: list[Markup] = []
        for section in self.sections:
            if section.title is not None:
                parts.append(Markup("<h2>{}</h2>").format(section.title))
            parts += [Markup("<p>{}</p>").format(line) for line in section.paragraphs]
            if section.facts:
                rows = [
                    Markup("<dt>{}:</dt> <dd>{}</dd>").format(label, value)
                    for label, value in section.facts
                ]
                parts.append(Markup("<dl>\n{}\n</dl>").format(Markup("\n").join(rows)))
        body = Markup("\n").join(parts)
        return str(_PAGE.format(language=escape(self.language), title=self.subject, body=body))
