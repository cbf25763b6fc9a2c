"""JSON Schema in words."""

import pytest

from infra.docs.schemas import references, section, words


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "time (RFC 3339)"),
        (
            {"type": "string", "minLength": 1, "maxLength": 1024},
            "string, not empty, at most 1,024 characters",
        ),
        ({"type": "string", "minLength": 2}, "string, at least 2 characters"),
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "integer, from 1, to 1,000"),
        ({"type": "integer", "minimum": 0}, "integer, from 0"),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "list of string, not empty",
        ),
        ({"enum": ["clean", "infected"]}, "`clean`, `infected`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"$ref": "#/components/schemas/AssetView"}, "[AssetView](#assetview)"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            "object of string by name",
        ),
        ({"type": "string", "pattern": "^a|b$"}, r"string, as `^a\|b$`"),
        ({}, "any value"),
    ],
)
def test_a_schema_is_said_in_words(schema, said):
    assert words(schema) == said


def test_a_section_has_the_fields_and_says_which_are_needed():
    schema = {
        "description": "A thing.\n\nOf two lines.",
        "properties": {"id": {"type": "string"}, "size": {"type": "integer"}},
        "required": ["id"],
    }
    assert section("Thing", schema) == (
        "### Thing\n\nA thing. Of two lines.\n\n"
        "| field | type | needed |\n| --- | --- | --- |\n"
        "| `id` | string | yes |\n| `size` | integer | no |"
    )


def test_references_are_found_at_any_depth():
    schema = {
        "properties": {
            "a": {"items": {"$ref": "#/components/schemas/One"}},
            "b": [{"$ref": "#/components/schemas/Two"}],
        }
    }
    assert list(references(schema)) == ["One", "Two"]
