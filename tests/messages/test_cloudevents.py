"""Reading and writing messages."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import CONSENT_GRANTS_QUEUE
from shared.errors import MalformedInputError
from shared.messages import decode, encode
from shared.messages.contracts import CONTRACTS, Actor, ConsentRevoked

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REVOKED = ConsentRevoked(
    grant_id="G1", tenant="acme", revoked_by=Actor(id="a", role="r", organisation="o")
)


def event(**change):
    body = json.loads(
        encode(CONSENT_GRANTS_QUEUE.name, REVOKED, identifier="E1", now=NOW, session="acme").body
    )
    return json.dumps({k: v for k, v in (body | change).items() if v is not ...}).encode()


def test_what_was_written_is_read():
    read = decode(event())
    assert (read.id, read.type, read.time) == ("E1", "vouchsafe.consent.revoked.v1", NOW)
    assert read.data == REVOKED


def test_names_are_camel_case_on_the_wire():
    assert json.loads(event())["data"] == {
        "grantId": "G1",
        "tenant": "acme",
        "revokedBy": {"id": "a", "role": "r", "organisation": "o"},
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "message-invalid"),
        (b"not json", "message-invalid"),
        (b"\xff\xfe", "message-invalid"),
        (b"[]", "message-invalid"),
        (event(specversion="0.3"), "message-invalid"),
        (event(id=...), "message-invalid"),
        (event(time="yesterday"), "message-invalid"),
        (event(time="2026-11-23T12:00:00"), "message-invalid"),
        (event(time="0001-01-01T00:00:00Z"), "message-invalid"),
        (event(time="1970-01-01T00:00:00+14:00"), "message-invalid"),
        (event(time="9999-12-31T23:59:59-00:01"), "message-invalid"),
        (event() + b"{}", "message-invalid"),
        (event().decode().encode("utf-16"), "message-invalid"),
        (event(datacontenttype="application/xml"), "message-invalid"),
        (event(id="a/b"), "message-invalid"),
        (event(id="zoe@acme.example"), "message-invalid"),
        (event(id="\u0416" * 128), "message-invalid"),
        (event(id="e1\n"), "message-invalid"),
        (event(id=".."), "message-invalid"),
        (event(source="/a b"), "message-invalid"),
        (event(source="/\u0416"), "message-invalid"),
        (event(data=...), "message-data-invalid"),
        (event(data_base64="e30="), "message-data-invalid"),
        (event(data=..., data_base64="e30="), "message-data-invalid"),
        (event(data=..., data_base64="not base64"), "message-invalid"),
        (event(type="vouchsafe.consent.revoked.v2"), "message-type-unknown"),
        (event(data={}), "message-data-invalid"),
        (event(data=None), "message-data-invalid"),
        (event(data={"grantId": 7}), "message-data-invalid"),
        (
            event(data=json.loads(event())["data"] | {"surprise": 1}),
            "message-data-invalid",
        ),
    ],
)
def test_what_is_not_of_the_contract_is_refused_with_its_reason(body, code):
    with pytest.raises(MalformedInputError) as refused:
        decode(body)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "body",
    [
        event().replace(b'"id":', b'"x": {"a": 1, "a": 2}, "id":'),
        event().replace(b'"id":', b'"id": "E0", "id":'),
        event().replace(b'"tenant":', b'"tenant": "globex", "tenant":'),
        event().replace(b'"acme"', b"NaN"),
        event().replace(b'"acme"', b"9" * 10_000),
        event().replace(b'"acme"', b"1e999"),
        event().replace(b'"acme"', b'"\\ud800"'),
        event().replace(b'"acme"', b'"\\u0000"'),
        event().replace(b'"acme"', b"[" * 50_000),
        event().replace(b'"acme"', b"[" * 500 + b"]" * 500),
        event().replace(b'"id":', b'"x": ' + b"[" * 9000 + b"]" * 9000 + b', "id":'),
        b"[" * 200_000,
        b"\0" * 200_000,
    ],
)
def test_hostile_json_is_refused(body):
    with pytest.raises(MalformedInputError):
        decode(body)


EXTENSIONS = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "partitionkey": "acme/\u0416 1",
    "sequence": "0001",
    "sampledrate": -(2**31),
    "severitynumber": 10**40,
    "recordedtime": "2026-11-23T12:00:00Z",
    "dataref": "https://example.org/a?b#c",
    "dataschema": "https://example.org/schemas/revoked.json",
    "deprecated": True,
    "expiry": None,
    "bytes": "AAEC",
    "empty": "",
    "long": "x" * 100_000,
    "object": {"a": [1, {"b": None}]},
    "Upper": "a",
    "ID": "another",
    "Data": {},
    "with-hyphen": 1,
    "with_underscore": 1,
    "\u0416": 1,
    "": 1,
    "n" * 300: 1.5,
}


@pytest.mark.parametrize(("name", "value"), EXTENSIONS.items())
def test_an_extension_is_ignored_whatever_its_name_and_type(name, value):
    """CloudEvents 1.0.2, section "Extension Context Attributes"."""
    assert decode(event(**{name: value})).data == REVOKED


@pytest.mark.parametrize("name", ["subject", "dataschema", "correlationid"])
@pytest.mark.parametrize("value", [None, "", "x" * 2000, "\u001b[2J\nFAKE", "a/b", 7, True, [], {}])
def test_an_attribute_that_decides_nothing_is_ignored_in_any_form(name, value):
    read = decode(event(**{name: value}))
    assert (read.data, read.correlation_id, read.origin.correlation_id) == (REVOKED, None, "E1")


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        ...,
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON ;charset=UTF-8",
        'application/json; profile="https://example.org/\u0416"',
        "application/cloudevents+json",
        "application/vnd.acme.consent-v1+json; charset=utf-8",
        "application/ld+JSON;",
        "text/json",
        "x-consent/json",
        f"application/vnd.{'x' * 300}+json",
    ],
)
def test_any_media_type_of_json_is_read(media_type):
    """CloudEvents 1.0.2, JSON event format, section 3.1.1."""
    assert decode(event(datacontenttype=media_type)).data == REVOKED


@pytest.mark.parametrize(
    "media_type",
    [
        *("", "json", "/json", "application/", "application/xml", "text/plain"),
        *(
            "application/jsonp",
            "application/json-seq",
            "application/x+json+xml",
            "application/xml; a=/json",
        ),
        *("application/json\n", "application/json; a\r\nb: c", " application/json", 7, {}),
    ],
)
def test_a_media_type_of_anything_but_json_is_refused(media_type):
    with pytest.raises(MalformedInputError) as refused:
        decode(event(datacontenttype=media_type))
    assert refused.value.code == "message-invalid"


def test_data_may_come_in_base64():
    """CloudEvents 1.0.2, JSON event format, section 3.1.2: an SDK encodes bytes so."""
    data = json.dumps(json.loads(event())["data"]).encode()
    encoded = base64.b64encode(data).decode()
    assert decode(event(data=..., data_base64=encoded)).data == REVOKED
    assert decode(event(data_base64=None)).data == REVOKED
    twice = base64.b64encode(data.replace(b'"tenant":', b'"tenant": "globex", "tenant":'))
    for wrong in (event(data_base64=encoded), event(data=..., data_base64=twice.decode())):
        with pytest.raises(MalformedInputError) as refused:
            decode(wrong)
        assert refused.value.code == "message-data-invalid"


def test_a_byte_order_mark_is_ignored():
    assert decode(b"\xef\xbb\xbf" + event()).data == REVOKED


@pytest.mark.parametrize(
    "identifier",
    ["01J8ZQ4T4M0V9W6Y2N3P5R7S8T", "831e1650-001e-001b-66ab-eeb76e069631", "A234-1234-1234", "7"],
)
def test_ids_of_other_systems_are_taken(identifier):
    assert decode(event(id=identifier)).id == identifier


@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [("id", 1, 128), ("source", 1, 512)],
)
def test_attributes_have_a_length(name, shortest, longest):
    """CloudEvents 1.0.2: required attributes are not empty. Their ends are those of the tables."""
    for length in (shortest, longest):
        assert decode(event(**{name: "x" * length})).id
    for length in (shortest - 1, longest + 1):
        with pytest.raises(MalformedInputError) as refused:
            decode(event(**{name: "x" * length}))
        assert refused.value.code == "message-invalid"


@pytest.mark.parametrize(
    ("length", "code"),
    [
        (0, "message-invalid"),
        (1, "message-type-unknown"),
        (128, "message-type-unknown"),
        (129, "message-invalid"),
    ],
)
def test_a_type_has_a_length(length, code):
    with pytest.raises(MalformedInputError) as refused:
        decode(event(type="x" * length))
    assert refused.value.code == code


FIRST, LAST = "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize("time", [FIRST, LAST])
def test_the_first_and_the_last_time_are_read(time):
    assert decode(event(time=time)).id == "E1"
    assert decode(uploaded(time)).id == "E1"


def test_work_goes_back_to_the_first_event_of_a_chain():
    assert decode(event(correlationid="R1")).origin.correlation_id == "R1"
    assert decode(event(correlationid=...)).origin.correlation_id == "E1"


def uploaded(last_modified: str) -> bytes:
    data = {"name": "acme/a.jpg", "etag": "e", "lastModified": last_modified}
    return event(type="vouchsafe.blob.uploaded.v1", data=data)


def recorded(**fields: str) -> bytes:
    actor = {"id": "a", "role": "r", "organisation": "o"}
    data = {"tenant": "acme", "actor": actor, "action": "a", "resource": "r", "outcome": "denied"}
    return event(type="vouchsafe.access.recorded.v1", data=data | fields)


@pytest.mark.parametrize(
    "body",
    [
        uploaded("0001-01-01T00:00:00Z"),
        uploaded("9999-12-31T12:00:00-14:00"),
        *(
            recorded(**{field: "x" * 513})
            for field in ("purpose", "ticket", "grantId", "reason", "clientAddress")
        ),
    ],
)
def test_what_no_table_could_keep_is_refused(body):
    """ "Understanding the Table service data model": keys, and the size of a property."""
    with pytest.raises(MalformedInputError) as refused:
        decode(body)
    assert refused.value.code == "message-data-invalid"


def test_what_a_table_can_keep_is_read():
    assert decode(uploaded("1970-01-01T00:00:00Z")).id == "E1"
    assert decode(recorded(purpose="x" * 512, clientAddress="")).id == "E1"


def test_the_reason_names_the_field():
    with pytest.raises(MalformedInputError) as refused:
        decode(event(data=json.loads(event())["data"] | {"grantId": 7}))
    assert "grantId" in refused.value.detail


@given(st.binary())
def test_any_bytes_are_read_or_refused(body):
    with pytest.raises(MalformedInputError):
        decode(body)


def test_every_type_has_a_name_and_a_version():
    assert all(name.startswith("vouchsafe.") and name.endswith(".v1") for name in CONTRACTS)
    assert len(set(CONTRACTS.values())) == len(CONTRACTS)
