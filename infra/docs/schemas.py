"""JSON Schema in words: the fields of a body or of a message's data as a table."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.docs.markdown import cell, code, link, table

_REFERENCE: Final = "#/components/schemas/"
_LIMITS: Final = (
    ("minimum", "from {:,}"),
    ("maximum", "to {:,}"),
    ("minLength", "at least {:,} characters"),
    ("maxLength", "at most {:,} characters"),
    ("minItems", "at least {:,} items"),
)
_NOT_EMPTY: Final = ("minLength", "minItems")

type Schema = Mapping[str, Any]


def section(name: str, schema: Schema) -> str:
    """Return the section of one named schema: heading, description, fields."""
    fields = table(
        ("field", "type", "needed"),
        (
            (code(field), words(kind), "yes" if field in schema.get("required", ()) else "no")
            for field, kind in schema.get("properties", {}).items()
        ),
    )
    return f"### {name}\n\n{' '.join(schema.get('description', '').split())}\n\n{fields}"


def words(schema: Schema) -> str:
    """Return a schema in words, with links to the named schemas on the same page."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return link(name, name)
    if "anyOf" in schema:
        return " or ".join(words(option) for option in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    return ", ".join([_kind(schema), *_limits(schema)])


def references(schema: Any) -> Iterator[str]:
    """Yield the names of the schemas that `schema` refers to, at any depth."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(_REFERENCE)
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {words(schema['items'])}" if schema.get("items") else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {words(schema['additionalProperties'])} by name"
    return {"date-time": "time (RFC 3339)"}.get(schema.get("format", ""), str(kind))


def _limits(schema: Schema) -> Iterator[str]:
    if schema.get("format") == "date-time":
        return
    for name, phrase in _LIMITS:
        if name in _NOT_EMPTY and schema.get(name) == 1:
            yield "not empty"
        elif name in schema:
            yield phrase.format(schema[name])
    if "pattern" in schema:
        yield f"as {code(cell(schema['pattern']))}"
