"""What is counted as a storage call of the flow, and how the calls are shared out again."""

from collections import Counter
from pathlib import Path

import pytest

from infra.local.errors import StackError
from tests.benchmarks.calls import count, share
from tests.benchmarks.photos import SIZE, photos

LOG = """\
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] "GET /devstoreaccount1/incoming?comp=list HTTP/1.1" 200 -
Azurite Blob service is listening
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] "HEAD /devstoreaccount1/incoming/a/b.jpg HTTP/1.1" 200 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] "HEAD /devstoreaccount1/quarantine/a HTTP/1.1" 404 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] "POST /devstoreaccount1/$batch HTTP/1.1" 202 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] \
"PUT /devstoreaccount1/subjects(PartitionKey='a',RowKey='b') HTTP/1.1" 404 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] "POST /devstoreaccount1/Tables HTTP/1.1" 201 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] \
"PUT /devstoreaccount1/subjects(PartitionKey='a',RowKey='b') HTTP/1.1" 204 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] \
"PUT /devstoreaccount1/azure-webjobs-hosts/blobreceipts/x HTTP/1.1" 201 -
127.0.0.1 - - [24/Nov/2026:05:52:17 +0000] \
"PUT /devstoreaccount1/tenant-a?restype=container HTTP/1.1" 409 -
"""


def test_what_is_done_for_an_upload_is_counted_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "azurite.log"
    log.write_text(LOG)
    assert count(log, LOG.index("\n") + 1) == {
        "blob HEAD": 1,
        "blob HEAD missing": 1,
        "transaction POST": 1,
        "row PUT": 1,
    }


def test_a_call_that_the_bare_loop_cannot_make_is_told(tmp_path: Path) -> None:
    log = tmp_path / "azurite.log"
    log.write_text("\"PATCH /devstoreaccount1/assets(PartitionKey='a') HTTP/1.1\" 204 -\n")
    with pytest.raises(StackError, match="row PATCH"):
        count(log, 0)


def test_the_shares_of_all_come_to_all(tmp_path: Path) -> None:
    calls = {"row GET": 60, "row PUT": 199, "transaction POST": 7}
    shares = [share(calls, number, 60) for number in range(60)]
    assert sum((Counter(one) for one in shares), Counter()) == calls
    assert {one["row GET"] for one in shares} == {1}
    assert {one["row PUT"] for one in shares} == {3, 4}


def test_no_two_photos_are_the_same() -> None:
    made = dict(photos(50))
    assert len(made) == len(set(made.values())) == 50
    assert {len(content) for content in made.values()} == {SIZE}
