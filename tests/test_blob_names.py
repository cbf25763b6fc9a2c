"""Which characters a blob's name may have, and what a name in `incoming` says."""

import pytest

from shared.blob_names import is_valid_blob_name, split_name, turns_writing


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("", True),
        ("2026/Zoë Müller (1).jpg", True),
        ("日本\u3000写真\u202f.jpg", True),
        # The joiners of emoji and of Persian.
        ("\U0001f468\u200d\U0001f469 \u200c.jpg", True),
        ("a\x00", False),
        ("a\x1f", False),
        ("a\x7f", False),
        ("a\x85", False),
        ("a\ud800", False),
        ("a\ue000", False),
        ("a\u2028", False),
        ("a\u2029", False),
        # Noncharacters, and the neighbours of the noncharacters.
        ("a\ufdcf", True),
        ("a\ufdd0", False),
        ("a\ufdef", False),
        ("a\ufdf0", True),
        ("a\ufffd", True),
        ("a\ufffe", False),
        ("a\uffff", False),
        ("a\U00010000", True),
        ("a\U0001fffe", False),
        ("a\U0001ffff", False),
    ],
)
def test_the_characters_of_a_name(text, valid):
    assert is_valid_blob_name(text) is valid
    assert is_valid_blob_name(f"{text}b") is valid


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("gpj.exe", False),
        ("שלום.jpg", False),
        # The marks before, between and after the characters that turn the direction.
        ("a\u2029b", False),
        ("a\u202fb", False),
        ("a\u2065b", False),
        ("a\u206ab", False),
        *((f"a{turning}b", True) for turning in "\u202a\u202b\u202c\u202d\u202e"),
        *((f"a{turning}b", True) for turning in "\u2066\u2067\u2068\u2069"),
    ],
)
def test_what_turns_the_direction_of_writing(text, turns):
    assert turns_writing(text) is turns


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("acme/a.jpg", ("acme", "a.jpg")),
        ("acme/2026/a.jpg", ("acme", "2026/a.jpg")),
        ("acme/", ("acme", "")),
        ("acme", ("acme", "")),
        ("/a.jpg", ("", "a.jpg")),
    ],
)
def test_a_name_in_incoming(name, parts):
    assert split_name(name) == parts
