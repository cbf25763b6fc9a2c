"""Which request an entry of the log goes back to."""

import re

import pytest

from functions.edge.http import correlation_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_callers_trace_is_kept():
    assert correlation_id({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
        f"00-{TRACE}\n-00f067aa0ba902b7-01",
        "zoe@acme.example",
    ],
)
def test_what_is_no_trace_is_replaced_by_a_new_id(header):
    made = {correlation_id({"traceparent": header}) for _ in range(2)}
    assert len(made) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)
    assert TRACE not in made
