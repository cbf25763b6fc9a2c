"""What Defender for Storage reports, in both of Event Grid's schemas."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RefusalError
from shared.scanning.defender_events import read_result
from shared.scanning.scanner import Findings

SHA = "275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F"
URI = "https://account.blob.core.windows.net/incoming/acme/EICAR - simulating malware.txt"
TYPE = "Microsoft.Security.MalwareScanningResult"


def data(kind="Malicious", **given):
    return {
        "correlationId": "52d00da0-8f1a-4c3c-aa2c-24831967356b",
        "blobUri": URI,
        "eTag": "0x8DB4C9327B08CBF",
        "scanFinishedTimeUtc": "2026-05-04T11:31:54.0481279Z",
        "scanResultType": kind,
        "scanResultDetails": {"malwareNamesFound": ["DOS/EICAR_Test_File"], "sha256": SHA},
        **given,
    }


def event_grid(data, kind=TYPE):
    """As documented in "Set up response to malware scanning"."""
    return {
        "id": "52d00da0-8f1a-4c3c-aa2c-24831967356b",
        "subject": "storageAccounts/account/containers/incoming/blobs/acme/EICAR.txt",
        "data": data,
        "eventType": kind,
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": "2026-05-04T11:31:54.048375Z",
        "topic": "/subscriptions/s/resourceGroups/r/providers/Microsoft.EventGrid/topics/t",
    }


def cloud_event(data, kind=TYPE):
    return {
        "specversion": "1.0",
        "id": "52d00da0-8f1a-4c3c-aa2c-24831967356b",
        "source": "/subscriptions/s/resourceGroups/r/providers/Microsoft.EventGrid/topics/t",
        "type": kind,
        "subject": "storageAccounts/account/containers/incoming/blobs/acme/EICAR.txt",
        "time": "2026-05-04T11:31:54.048375Z",
        "data": data,
    }


def read(event):
    return read_result(json.dumps(event).encode())


@pytest.mark.parametrize("schema", [event_grid, cloud_event, lambda data: [event_grid(data)]])
def test_both_schemas(schema):
    result = read(schema(data()))
    assert result.uri == URI
    assert result.etag == "0x8DB4C9327B08CBF"
    assert result.finished_at == datetime(2026, 5, 4, 11, 31, 54, 48000, tzinfo=UTC)
    assert result.findings == Findings(("DOS/EICAR_Test_File",), sha256=SHA.lower())


@pytest.mark.parametrize(
    ("findings", "given"),
    [
        (Findings(sha256=SHA.lower()), {"kind": "No threats found"}),
        (Findings(), {"kind": "No threats found", "scanResultDetails": None}),
        (Findings(), {"kind": "No threats found", "scanResultDetails": {"malwareNamesFound": []}}),
        (Findings(("unnamed",)), {"kind": "Malicious", "scanResultDetails": None}),
        (
            Findings(("a", "b")),
            {"scanResultDetails": {"malwareNamesFound": ["b", "a", "b"]}},
        ),
        (
            Findings(refusal="scan-not-possible"),
            {"kind": "Not Scanned", "scanResultDetails": {"notScannedReason": "PasswordProtected"}},
        ),
        (Findings(refusal="scan-not-possible"), {"kind": "Not scanned", "scanResultDetails": None}),
        (Findings(refusal="scan-failed"), {"kind": "Error", "scanResultDetails": None}),
        (
            Findings(refusal="scan-failed"),
            {"kind": 'SAM259201: "Scan failed - internal service error."', "scanResultDetails": {}},
        ),
        (Findings(refusal="scan-failed"), {"kind": "no threats found", "scanResultDetails": {}}),
        (Findings(refusal="scan-failed"), {"kind": "", "scanResultDetails": {}}),
    ],
)
def test_only_the_documented_words_clear(findings, given):
    assert read(event_grid(data(**given))).findings == findings


def test_names_are_few_and_short():
    names = [f"{number:03}{'x' * 500}" for number in range(100)]
    kept = read(event_grid(data(scanResultDetails={"malwareNamesFound": names}))).findings.matches
    assert len(kept) == 20
    assert {len(name) for name in kept} == {128}


def test_an_etag_may_be_in_quotes():
    assert read(cloud_event(data(eTag='"0x8D"'))).etag == "0x8D"


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("scan-result-type-unknown", event_grid(data(), "Microsoft.Storage.BlobCreated")),
        ("scan-result-type-unknown", cloud_event({}, "vouchsafe.blob.uploaded.v1")),
        ("scan-result-type-unknown", {"data": {}}),
        ("scan-result-invalid", event_grid({})),
        ("scan-result-invalid", event_grid(None)),
        ("scan-result-invalid", event_grid(data(eTag=None))),
        ("scan-result-invalid", event_grid(data(scanFinishedTimeUtc="soon"))),
        ("scan-result-invalid", event_grid(data(scanFinishedTimeUtc="2026-05-04T11:31:54"))),
        ("scan-result-invalid", event_grid(data(scanResultDetails="none"))),
        ("scan-result-invalid", []),
        ("scan-result-invalid", [event_grid(data())] * 2),
        ("scan-result-invalid", "text"),
    ],
)
def test_what_is_no_result_is_refused(code, event):
    with pytest.raises(RefusalError) as refused:
        read(event)
    assert refused.value.code == code


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body):
    with pytest.raises(RefusalError):
        read_result(body)
