"""The address that the log has of a caller: the front end's word, never the client's own."""

import azure.functions as func
import pytest

from functions.edge.calls import Call
from shared.identity.rules import ANONYMOUS


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.1:51234", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1:51234", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%zoe@acme.example", "fe80::1"),
        ("Ada Lovelace", None),
        ("203.0.113.9, ", None),
        (None, None),
    ],
)
def test_the_last_address_without_its_port(forwarded, address):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = func.HttpRequest("GET", "/api/x", headers=headers, body=b"")
    assert Call(None, ANONYMOUS, request, None).client_address == address
