"""Whatever is appended, by whom, in which portions, and wherever it crashes: one sound log."""

import asyncio
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.accesslog import EventIdReusedError, LogStore
from shared.errors import UnavailableError
from tests.accesslog.faulty import DiedError, FaultyTables
from tests.accesslog.logs import SECRET, assert_sound, audited, entry, new_tenant, payloads

FAULTS = st.sampled_from(["ok", "ok", "before", "after", "late", "die before", "die after"])
# Few events, so that they come again; now and then with other content.
EVENTS = st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 0, 0, 0, 1]))
CALLS = st.lists(EVENTS, max_size=12)
# What is appended at the same time, by how many instances, and what befalls the commits of each.
STEPS = st.lists(
    st.tuples(st.lists(CALLS, min_size=1, max_size=4), st.lists(FAULTS, max_size=4)),
    min_size=1,
    max_size=5,
)


def call_of(events):
    return [entry(number, content=content) for number, content in events]


def identity(payload):
    return json.loads(payload)["id"]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, instances=st.integers(1, 3))
async def test_any_sequence_of_appends_and_crashes_makes_a_sound_log(kept, steps, instances):
    tenant = new_tenant()
    sound = LogStore(kept, SECRET)
    before = []
    for calls, faults in steps:
        # Whoever died was replaced meanwhile.
        stores = [
            LogStore(FaultyTables(kept, faults[number::instances]), SECRET)
            for number in range(instances)
        ]
        answers = await asyncio.gather(
            *(
                stores[number % instances].append(tenant, call_of(call))
                for number, call in enumerate(calls)
            ),
            return_exceptions=True,
        )
        now = await assert_sound(sound, tenant)
        assert now[: len(before)] == before
        assert len({identity(payload) for payload in now}) == len(now)
        for number, (call, answer) in enumerate(zip(calls, answers, strict=True)):
            indices = told(answer)
            if indices is not None:
                assert_answered(now, call_of(call), indices)
                others = [*calls[:number], *calls[number + 1 :]]
                assert_in_order(len(before), call, indices, others)
        before = now
    await assert_nothing_missing(sound, tenant, [call for calls, _ in steps for call in calls])
    assert list((await audited(sound, tenant)).findings) == []


def told(answer):
    """Where a caller was told that its entries are; None when it was told nothing."""
    match answer:
        case UnavailableError() | DiedError():
            return None
        case EventIdReusedError():
            return answer.indices
        case BaseException():
            raise answer
    return answer


def assert_answered(now, call, indices):
    """What a caller was told is so."""
    assert len(indices) == len(call)
    kept = {identity(payload): payload for payload in now}
    for index, one in zip(indices, call, strict=True):
        if index is None:
            assert kept[one.id] != one.payload
        else:
            assert now[index] == one.payload


def assert_in_order(size, call, indices, others):
    """What nobody else came with was added in the order of the call."""
    elsewhere = {number for other in others for number, _ in other}
    mine = [
        index
        for (number, _), index in zip(call, indices, strict=True)
        if number not in elsewhere and index is not None and index >= size
    ]
    added = list(dict.fromkeys(mine))
    assert added == sorted(added)


async def assert_nothing_missing(store, tenant, calls):
    """Once everyone has come again, each event is there, with the content that came first."""
    for call in calls:
        answers = await asyncio.gather(store.append(tenant, call_of(call)), return_exceptions=True)
        assert not isinstance(answers[0], BaseException) or isinstance(
            answers[0], EventIdReusedError
        )
    kept = [identity(payload) for payload in await payloads(store, tenant)]
    assert sorted(kept) == sorted({str(number) for call in calls for number, _ in call})
