"""The number of distinct persons, in flat memory."""

import pytest

from shared.breaches.scoping.people import KEPT, PersonSketch, has_address, person_keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kim Larsen", "larsen, KIM"),
        ("Zoë Müller", "Zoe Muller"),
        ("Kim Larsen; Nora Hahn", "Nora Hahn / Kim Larsen"),
        ("Kim Larsen <Kim@Example.org>", "kim@example.org; Kim Larsen"),
        ("Kim Larsen and Nora Hahn", "Kim Larsen & Nora Hahn"),
    ],
)
def test_spellings_of_one_name_count_once(one, other):
    assert person_keys(one) == person_keys(other) != set()


@pytest.mark.parametrize("text", ["", " ", ";;;", "2026", "a " * 50, "\x00", "\ud800"])
def test_what_is_no_name_does_not_count(text):
    assert len(person_keys(text)) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("kim@example.org", True), ("@kim", False), ("kim at example", False), ("a@b", False)],
)
def test_an_address_is_seen(text, expected):
    assert has_address(text) == expected


@pytest.mark.parametrize("count", [0, 1, 500, KEPT - 1])
def test_a_few_names_are_counted_exactly(count):
    sketch = PersonSketch(b"key")
    sketch.add(f"name {number}" for number in range(count))
    sketch.add(f"name {number}" for number in range(count))
    assert sketch.count() == (count, False)


@pytest.mark.parametrize("count", [5000, 100_000])
def test_many_names_are_estimated_in_flat_memory(count):
    sketch = PersonSketch(b"key")
    for start in range(0, count, 1000):
        sketch.add(f"name {number}" for number in range(start, start + 1000))
        # A batch that is counted twice, and a sketch that was kept in between.
        sketch = PersonSketch(b"key", sketch.dump())
        sketch.add(f"name {number}" for number in range(start, start + 1000))
    estimate, is_estimate = sketch.count()
    assert is_estimate
    assert abs(estimate - count) < count * 0.15
    assert len(sketch.dump()) == KEPT * 8
