"""The benchmark of a burst runs on the incidents as the app records them."""

from tests.benchmarks.benchmark import Size
from tests.benchmarks.incident_burst import GOALS, run


def test_a_burst_and_a_storm_are_one_incident_each_at_few_operations():
    found = {result.name: result for result in run(lambda *_: None, Size.SMALL)}
    assert set(GOALS) < set(found)
    assert {name: found[name].value for name in GOALS if not found[name].is_met} == {}
