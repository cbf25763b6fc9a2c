"""What journeys through the fault proxy share; each has a stack of its own, `own_stack`."""

import pytest

from infra.local.faults.control import Faults


@pytest.fixture
def faults(own_stack):
    """The rules of the proxy; none outlives a test."""
    control = Faults(own_stack.faults_url)
    yield control
    control.clear()
    control.close()
