"""How long a message waits before it is given back to its queue."""

import pytest

from functions.messages import pause_seconds


@pytest.mark.parametrize(
    ("deliveries", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (2000, 30)]
)
def test_the_pause_doubles_with_each_delivery_up_to_the_longest(deliveries, seconds):
    assert pause_seconds(deliveries, 30) == seconds
