"""If-Match by RFC 9110: a list of tags, compared strongly."""

import pytest

from functions.edge.etags import etag_header, require_match
from shared.errors import (
    MalformedInputError,
    PreconditionFailedError,
    PreconditionRequiredError,
    RefusalError,
)

SEEN = etag_header("W/1")


@pytest.mark.parametrize(
    "given",
    [
        SEEN,
        f" {SEEN}\t",
        f'"other", {SEEN}',
        f'{SEEN},"other"',
        f'"a,b" , {SEEN}',
        f",, {SEEN} ,",
        f'W/"weak", {SEEN}',
        f'"", {SEEN}',
        f'"\xe9", {SEEN}',
    ],
)
def test_a_list_with_the_tag_that_was_seen(given):
    require_match(given, "W/1", whatever=False)


@pytest.mark.parametrize(
    "given",
    [
        etag_header("W/2"),
        f"W/{SEEN}",
        f"W/{SEEN}, W/{SEEN}",
        '""',
        f'"garbage{SEEN.strip(chr(34))}garbage"',
        f'"{"a" * 8000}"',
        SEEN.replace("a", "A").replace("b", "B").replace("c", "C"),
        '"*"',
    ],
)
def test_other_tags_and_weak_tags_match_nothing(given):
    with pytest.raises(PreconditionFailedError):
        require_match(given, "W/1", whatever=True)


@pytest.mark.parametrize(
    "given",
    [
        "",
        ",",
        "garbage",
        f"garbage{SEEN}garbage",
        f"{SEEN}garbage",
        f"garbage, {SEEN}",
        f"{SEEN} {SEEN}",
        f"{SEEN}{SEEN}",
        SEEN.strip('"'),
        SEEN[:-1],
        f"w/{SEEN}",
        f"W/ {SEEN}",
        f"*, {SEEN}",
        f"{SEEN}, *",
        "**",
        "W/*",
        '"a b"',
        '"a\x00"',
        f"{SEEN}\n",
        " " * 16_000 + "x",
        "," * 16_000 + "x",
    ],
)
def test_what_is_no_list_of_tags_is_refused(given):
    with pytest.raises(MalformedInputError) as refused:
        require_match(given, "W/1", whatever=True)
    assert refused.value.code == "if-match-invalid"


@pytest.mark.parametrize("given", ["*", " *\t"])
def test_a_star_is_for_every_state_where_the_endpoint_says_so(given):
    require_match(given, "W/1", whatever=True)
    with pytest.raises(PreconditionRequiredError) as refused:
        require_match(given, "W/1", whatever=False)
    assert refused.value.code == "if-match-any"


@pytest.mark.parametrize("whatever", [True, False])
def test_no_tag_at_all(whatever):
    with pytest.raises(RefusalError) as refused:
        require_match(None, "W/1", whatever=whatever)
    assert refused.value.code == "if-match-missing"
