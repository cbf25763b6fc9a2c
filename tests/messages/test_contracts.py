"""What a contract lets through can be kept: each text has a length and a form."""

import msgspec
import pytest
from msgspec import inspect

from shared.ids import key
from shared.messages.contracts import CONTRACTS, Actor, Identifier
from shared.plain_text import is_plain

# The name of a blob is whatever Azure let an uploader write; intake looks at each character.
FREE = {("BlobUploaded", "name")}


def texts(kind):
    for field in inspect.type_info(kind).fields:
        types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        yield from ((field.name, one) for one in types if isinstance(one, inspect.StrType))


@pytest.mark.parametrize("kind", [*CONTRACTS.values(), Actor])
def test_each_text_has_a_length_and_a_form(kind):
    for name, text in texts(kind):
        assert text.max_length, name
        assert text.pattern or (kind.__name__, name) in FREE, name


# 1 KiB in UTF-16: "Understanding the Table service data model", learn.microsoft.com.
LONGEST_KEY = 512


def test_the_longest_id_fits_a_key():
    longest = msgspec.convert("~:._-Zz9".rjust(128, "a"), Identifier)
    assert len(key("grant", longest)) < LONGEST_KEY


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a" * 129,
        "\u0416" * 128,
        "\N{GRINNING FACE}",
        "a b",
        "a/b",
        "a|b",
        "a\\b",
        "a#b",
        "a?b",
        "a%b",
        "a'b",
        "a@b",
        "a\0",
        "a\n",
        "\n",
        ".",
        "..",
        "~a",
        "\u0661",
        "\uff41",
    ],
)
def test_what_is_no_id(given):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, Identifier)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", True),
        ("Dark preview, \u201cquoted\u201d \N{GRINNING FACE} \u05e9\u05dc\u05d5\u05dd\u200f", True),
        ("two\nlines", False),
        ("end\n", False),
        ("\0", False),
        ("\x1b[31m", False),
        ("\x85", False),
        ("\u2028", False),
        ("\u202egpj", False),
        ("\u2066", False),
        ("\uffff", False),
        ("\ud800", False),
    ],
)
def test_plain_texts(text, plain):
    assert is_plain(text) == plain
