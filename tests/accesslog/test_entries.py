"""What an entry says, its canonical bytes, and what the log refuses."""

import json
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import context
from shared.accesslog.entries import (
    attributed,
    check,
    check_identity,
    entry_of,
    names_person,
    payload_of,
)
from shared.accesslog.payloads import entry_from, readable, same_content
from shared.accesslog.reading.filters import listed
from shared.errors import InvalidInputError
from shared.messages.contracts import AccessRecorded, Actor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SVEN = Actor(id="sven", role="vendor.support", organisation="vendor")


def recorded(**changed):
    given = {"tenant": "acme", "actor": SVEN, "action": "asset.read", "resource": "assets/1"}
    return AccessRecorded(**(given | {"outcome": "allowed"} | changed))


def payload(data=None, *, time=NOW, received=NOW, identifier="e1"):
    return payload_of(entry_of(data or recorded(), "/portal", identifier, time, received))


def test_the_bytes_are_the_canonical_form_of_rfc_8785():
    assert (
        payload(recorded(purpose="Zoë €\n\u0001", ticket="T-1"))
        == (
            '{"action":"asset.read","actor":{"id":"sven","organisation":"vendor",'
            '"role":"vendor.support"},"id":"e1","outcome":"allowed","purpose":"Zoë €\\n\\u0001",'
            '"receivedAt":"2026-11-23T12:00:00.000Z","resource":"assets/1","source":"/portal",'
            '"tenant":"acme","ticket":"T-1","time":"2026-11-23T12:00:00.000Z"}'
        ).encode()
    )


def test_an_entry_comes_back_as_it_was_logged():
    told = recorded(
        actor=msgspec.structs.replace(SVEN, authentication_method="mfa+pwd"),
        outcome="denied",
        purpose="p",
        ticket="t",
        grant_id="g",
        reason="r",
        client_address="192.0.2.1",
        correlation_id="c",
    )
    entry = entry_of(told, "/portal", "e1", NOW, NOW)
    assert entry_from(payload_of(entry)) == entry
    for field in told.__struct_fields__:
        assert getattr(entry, field) == getattr(told, field)


@pytest.mark.parametrize(
    ("ahead", "flagged"),
    [
        (timedelta(minutes=-60), False),
        (timedelta(0), False),
        (timedelta(minutes=5), False),
        (timedelta(minutes=5, milliseconds=1), True),
    ],
)
def test_a_clock_more_than_five_minutes_ahead_is_flagged_and_not_trusted(ahead, flagged):
    entry = entry_of(recorded(), "/portal", "e1", NOW + ahead, NOW)
    assert entry.clock_ahead is flagged
    assert json.loads(payload_of(entry)).get("clockAhead", False) is flagged
    assert entry.trusted_time == (NOW if flagged else NOW + ahead)


def test_the_same_event_says_the_same_whenever_it_comes_in():
    late = timedelta(minutes=10)
    ahead = payload(time=NOW + late)
    again = payload(time=NOW + late, received=NOW + late)
    assert ahead != again
    assert same_content(ahead, again)
    assert not same_content(payload(), payload(recorded(outcome="failed")))
    assert not same_content(payload(), payload(time=NOW + late))


@pytest.mark.parametrize(
    "time",
    [
        b'"time":"2026-11-23T12:00:00.000"',
        b'"time":"0001-01-01T00:00:00+14:00"',
        b'"more":' + b"[" * 30_000 + b"]" * 30_000 + b',"time":"2026-11-23T12:00:00.000Z"',
    ],
    ids=["no zone", "no year", "deep"],
)
def test_what_a_filter_or_a_file_could_not_take_is_no_entry(time):
    sound = payload()
    changed = sound.replace(b'"time":"2026-11-23T12:00:00.000Z"', time)
    assert changed != sound
    assert readable(sound) is not None
    assert readable(changed) is None
    assert listed(3, changed).damaged
    assert not same_content(changed, sound)


def test_what_was_redacted_is_held_for_the_same():
    redacted = b"vouchsafe.test/log\nredaction/v1\n"
    assert same_content(redacted, payload())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"purpose": "x" * 513}, "$.purpose"),
        ({"resource": "x" * 1101}, "$.resource"),
        ({"action": ""}, "$.action"),
        ({"outcome": "maybe"}, "$.outcome"),
        ({"actor": Actor(id="x" * 129, role="r", organisation="o")}, "$.actor.id"),
        ({"correlation_id": 5}, "$.correlationId"),
    ],
)
def test_a_field_beyond_its_limit_is_named(change, place):
    with pytest.raises(InvalidInputError) as refused:
        check(recorded(**change))
    assert refused.value.code == "log-entry-invalid"
    assert place in refused.value.detail


def test_the_largest_entry_that_is_allowed_fits_in_a_bundle():
    wide = "\N{GRINNING FACE}"
    actor = Actor("a" * 128, wide * 512, wide * 512, wide * 512)
    largest = recorded(
        tenant="t" * 64,
        actor=actor,
        action=wide * 512,
        resource=wide * 1100,
        **dict.fromkeys(
            ("purpose", "ticket", "grant_id", "reason", "client_address", "correlation_id"),
            wide * 512,
        ),
    )
    check(largest)
    assert len(payload_of(entry_of(largest, "~" * 512, "a" * 128, NOW, NOW))) < 65_536


def test_text_that_is_no_unicode_is_refused():
    with pytest.raises(InvalidInputError) as refused:
        payload(recorded(purpose="\ud800"))
    assert refused.value.code == "log-entry-invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"actor": Actor(id="sven@vendor.example", role="r", organisation="o")},
        {"resource": "mailboxes/zoe.mueller@acme.example"},
        {"resource": "people/Zoë@bücher.example/photos"},
        {"purpose": "Asked by zoe@acme.example on the phone"},
        {"ticket": "zoe@acme.example/4711"},
        {"reason": "refused by <zoe@acme.example>"},
        {"resource": "mailboxes/zoe%40acme.example"},
    ],
)
def test_what_looks_like_an_e_mail_address_is_refused_and_not_repeated(change):
    with pytest.raises(InvalidInputError) as refused:
        check(recorded(**change))
    assert refused.value.code == "log-entry-names-person"
    assert "@" not in str(refused.value)


AS_BEFORE = re.compile(r"[^\s@/]+(?:@|%40)[^\s@/]+\.[^\s@/]+")


@given(st.lists(st.sampled_from(["@", "%40", ".", "a", "/", " ", "\u2003", "%", "40"])))
def test_an_address_is_what_the_expression_finds(parts):
    """Found in one pass: as an expression, the form takes cubic time on `%40%40%40...`."""
    text = "".join(parts)
    assert names_person(text) == (AS_BEFORE.search(text) is not None)


def test_no_text_however_long_is_searched_again_from_each_sign():
    assert not names_person("%40" * 100_000)
    assert not names_person("@" * 100_000)
    assert not names_person("a@" * 100_000)
    assert names_person("%40" * 100_000 + "a.b")


def texts(kind, inside=""):
    """The names of all fields of a contract that hold free text, those within others included."""
    for field in msgspec.structs.fields(kind):
        if field.type is Actor:
            yield from texts(Actor, f"{field.encode_name}.")
        elif field.name not in ("tenant", "outcome"):
            yield inside + field.encode_name


@pytest.mark.parametrize("place", list(texts(AccessRecorded)))
def test_no_text_of_an_entry_may_be_an_e_mail_address(place):
    named = {"".join(f"_{c.lower()}" if c.isupper() else c for c in place): "zoe@acme.example"}
    if place.startswith("actor."):
        ((name, text),) = named.items()
        named = {"actor": msgspec.structs.replace(SVEN, **{name.removeprefix("actor."): text})}
    with pytest.raises(InvalidInputError) as refused:
        check(recorded(**named))
    assert refused.value.code == "log-entry-names-person"
    assert f" {place} " in refused.value.detail


@pytest.mark.parametrize(
    ("source", "identifier", "place"),
    [
        ("mailto:zoe@acme.example", "e1", "source"),
        ("/mail/zoe%40acme.example", "e1", "source"),
        ("/dam", "zoe@acme.example", "id"),
    ],
)
def test_neither_may_the_identity_of_its_event(source, identifier, place):
    with pytest.raises(InvalidInputError) as refused:
        check_identity(source, identifier)
    assert refused.value.code == "log-entry-names-person"
    assert f" {place} " in refused.value.detail


@pytest.mark.parametrize("resource", ["assets/1@2", "people@", "a@b", "shoots/@home", ""])
def test_what_is_no_e_mail_address_is_not_taken_for_one(resource):
    check(recorded(resource=resource, purpose=resource, ticket=resource, reason=resource))


def test_addresses_of_machines_traces_and_sources_are_none_either():
    for address in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"):
        check(recorded(client_address=address, correlation_id="4bf92f3577b34da6a3ce929d0e0e4736"))
    for source in (
        "/vouchsafe",
        "https://dam.example:8443/api/assets?of=1",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "//cloud.example/projects/dam",
    ):
        check_identity(source, "6e8bc430-9c3a-11d9-9669-0800200c9a66")


def test_entries_say_which_request_they_go_back_to():
    assert attributed(recorded()) == recorded()
    with context.during(context.Context("c1", "192.0.2.1")):
        assert attributed(recorded()) == recorded(correlation_id="c1", client_address="192.0.2.1")
        own = recorded(correlation_id="c2", client_address="192.0.2.2")
        assert attributed(own) == own
    assert context.current() == context.NOWHERE
