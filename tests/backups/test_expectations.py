"""The file of backup expectations: read, or refused with the place of what is wrong."""

import json
from pathlib import Path

import pytest

from shared.backups.expectations import read_expectations
from shared.errors import InvalidInputError

ITEM = {"vault": "v", "item": "films", "everyHours": 24}
LOCAL = Path(__file__).parents[2] / "infra/local/backups/expectations.json"


def file(*items):
    return json.dumps({"items": items}).encode()


def test_a_file_declares_items():
    first, second = read_expectations(file({**ITEM, "toleranceHours": 1.5}, {**ITEM, "vault": "w"}))
    assert (first.vault, first.item, first.every_hours, first.tolerance_hours) == (
        "v",
        "films",
        24,
        1.5,
    )
    assert second.tolerance_hours == 0


def test_the_local_stack_has_a_file_that_can_be_read():
    assert len(read_expectations(LOCAL.read_bytes())) == 4


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "line 1, column 1"),
        (b'{\n  "items": [,]\n}', "line 2, column 13"),
        (b"\xff{}", "from byte 0 on"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "missing required field `items`"),
        (b"[]", "Expected `object`"),
        (file(), "`$.items`"),
        (file({**ITEM, "everyHours": "24"}), "`$.items[0].everyHours`"),
        (file(ITEM, {**ITEM, "item": "x", "everyHours": 0}), "`$.items[1].everyHours`"),
        (file({**ITEM, "everyHours": 1e9}), "`$.items[0].everyHours`"),
        (file({**ITEM, "toleranceHours": -1}), "`$.items[0].toleranceHours`"),
        (file({"vault": "v", "everyHours": 1}), "`$.items[0]`"),
        (file({**ITEM, "item": ""}), "`$.items[0].item`"),
        (file({**ITEM, "every": 1}), "`$.items[0]`"),
        (file(ITEM, ITEM), "declared twice - at `$.items[1]`"),
        (b'{"items": [{"vault": "v", "item": "x", "everyHours": NaN}]}', "everyHours"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(data, place):
    with pytest.raises(InvalidInputError) as refused:
        read_expectations(data)
    assert refused.value.code == "backup-expectations-invalid"
    assert place in refused.value.detail
    assert "BACKUP_EXPECTATIONS_FILE" in refused.value.remedy
