"""The listing as CSV and NDJSON."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from shared.accesslog.reading.formats import encoded
from shared.accesslog.reading.views import Listed, Redacted
from shared.messages.contracts import Actor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SVEN = Actor(id="sven", role="vendor.support", organisation="vendor", authentication_method="mfa")


def entry(index=7, **changed):
    given = {"id": "e", "source": "/dam", "time": NOW, "received_at": NOW, "actor": SVEN}
    given |= {"action": "asset.read", "resource": "assets/1", "outcome": "allowed"}
    return Listed(index=index, **(given | changed))


async def written(form, *entries):
    async def stream():
        for one in entries:
            yield one

    return b"".join([chunk async for chunk in encoded(stream(), form)]).decode()


async def rows(*entries):
    return list(csv.DictReader(io.StringIO(await written("csv", *entries), newline="")))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"],
)
async def test_no_cell_is_a_formula(text):
    (row,) = await rows(entry(purpose=text, ticket=text, resource=text))
    assert {row["purpose"], row["ticket"], row["resource"]} == {"'" + text}


@pytest.mark.parametrize("text", ['a "quoted" text', "a,b;c", "two\nlines", "'x", "Zoë €", "1-1"])
async def test_other_text_comes_back_as_it_was(text):
    (row,) = await rows(entry(purpose=text))
    assert row["purpose"] == text


async def test_a_row_says_what_the_entry_says():
    (row,) = await rows(entry(clock_ahead=True, correlation_id="c"))
    assert row["index"] == "7"
    assert (row["time"], row["receivedAt"]) == ("2026-11-23T12:00:00.000Z",) * 2
    assert (row["actorId"], row["actorRole"]) == ("sven", "vendor.support")
    assert (row["authenticationMethod"], row["clockAhead"]) == ("mfa", "true")
    assert (row["correlationId"], row["grantId"]) == ("c", "")


async def test_a_redacted_entry_is_a_row_too():
    redacted = Listed(index=3, redacted=Redacted(at=NOW, reason="gdpr-art-17"))
    (row,) = await rows(redacted)
    assert (row["index"], row["actorId"], row["redactedReason"]) == ("3", "", "gdpr-art-17")
    (line,) = (await written("ndjson", redacted)).splitlines()
    assert json.loads(line)["redacted"]["reason"] == "gdpr-art-17"


async def test_a_list_without_entries_has_its_columns():
    assert (await written("csv")).startswith('"index","time"')
    assert await written("ndjson") == ""


async def test_a_long_list_comes_in_chunks():
    async def stream():
        for index in range(5000):
            yield entry(index)

    chunks = [chunk async for chunk in encoded(stream(), "ndjson")]
    assert len(chunks) > 2
    assert max(map(len, chunks)) < 300_000
    lines = b"".join(chunks).splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(5000))
