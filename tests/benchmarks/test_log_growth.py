"""The benchmark of a log's growth runs on the log as the app has it."""

from tests.benchmarks.benchmark import Size
from tests.benchmarks.log_growth import run


def test_an_entry_of_a_long_log_takes_no_more_operations():
    figures = {result.name: result.value for result in run(lambda *_: None, Size.SMALL)}
    assert 0.9 <= figures["log-growth-operations"] <= 1.1
    assert figures["log-append-bytes"] > 400
    assert figures["log-append-cpu"] > 0
