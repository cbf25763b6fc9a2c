"""The table of the stack that `make up` prints."""

from infra.local.__main__ import SERVES
from infra.local.programs import FAULTS, PROCESSES


def test_the_table_knows_the_endpoints_of_every_process():
    assert {*PROCESSES, FAULTS} == set(SERVES)
