"""What of a message is shown, and what is masked."""

import json

import pytest

from shared.failed_messages.masking import (
    _SHOWN,
    masked_body,
    masked_content_type,
    masked_id,
    masked_properties,
    masked_text,
)

PERSONAL = "Zoe Smith"


def body(**data):
    actor = {"id": "7f1c", "role": "tenant.admin", "organisation": PERSONAL}
    return json.dumps(
        {
            "specversion": "1.0",
            "id": "E1",
            "source": f"/{PERSONAL}",
            "subject": PERSONAL,
            "type": "vouchsafe.consent.revoked.v1",
            "time": "2026-11-28T12:00:00.5+01:00",
            "data": {"grantId": "g-1", "tenant": "acme", "revokedBy": actor} | data,
        }
    ).encode()


def test_structure_and_ids_are_shown_and_persons_are_not():
    shown = masked_body(body())
    assert shown["data"] == {
        "grantId": "g-1",
        "tenant": "acme",
        "revokedBy": {
            "id": "masked: 4 characters",
            "role": "tenant.admin",
            "organisation": "masked: 9 characters",
        },
    }
    assert (shown["id"], shown["type"]) == ("E1", "vouchsafe.consent.revoked.v1")
    assert shown["time"] == "2026-11-28T12:00:00.5+01:00"
    assert shown["source"] == "masked: 10 characters"


@pytest.mark.parametrize(
    "data",
    [
        {PERSONAL: 1},
        {"tenant": PERSONAL},
        {"grantId": "zoe@acme.example"},
        {"note": PERSONAL},
        {"pathPrefix": f"shoots/{PERSONAL}/"},
        {"operations": [PERSONAL, {"id": PERSONAL}]},
        {"recipients": [{"id": "ZoeSmith", "role": "r"}]},
        {"a": {"actor": {"x": {"id": "ZoeSmith"}}}},
        {"phone": 4915112345678},
        {"tenant": {"Zoe Smith": PERSONAL}},
    ],
)
def test_a_person_is_masked_wherever_the_sender_wrote_the_name(data):
    shown = json.dumps(masked_body(body(**data)))
    assert not any(one in shown for one in ("Zoe", "Smith", "zoe", "4915112345678"))


@pytest.mark.parametrize("text", [b"", None, b"no json", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_not_shown(text):
    assert masked_body(text) is None


def test_json_of_any_depth_and_kind_is_masked():
    deep = b"[" * 500 + b'"Zoe"' + b"]" * 500
    for text in (deep, b'"Zoe"', b'[{"Zoe": "Zoe"}]', b'{"data": "Zoe"}'):
        assert "Zoe" not in str(masked_body(text))
    assert masked_body(b"null") is None
    assert masked_body(b"true") is True


def test_properties_texts_and_ids_are_masked():
    shown = masked_properties({"trace": "t-1", "sequence": 7, PERSONAL: True, "x": {"a": [1]}})
    assert not any(one in json.dumps(shown) for one in ("t-1", "Zoe", "trace"))
    detail = "Object contains unknown field `Zoe Smith` - at `$.data.revokedBy`"
    assert masked_text(detail) == "Object contains unknown field `…` - at `$.data.revokedBy`"
    assert masked_id("01J8ZQ4T4M0V9W6Y2N3P5R7S8T") == "01J8ZQ4T4M0V9W6Y2N3P5R7S8T"
    assert masked_id("zoe@acme.example") == "masked: 16 characters"
    for usual in (None, "application/cloudevents+json; charset=utf-8", "text/plain"):
        assert masked_content_type(usual) == usual
    assert masked_content_type("zoe/smith") == "masked: 9 characters"


def test_no_name_of_free_text_is_shown():
    free = {"summary", "resource", "purpose", "ticket", "reason", "name", "pathPrefix", "engineer"}
    assert not _SHOWN & (free | {"organisation", "clientAddress", "source", "subject"})
