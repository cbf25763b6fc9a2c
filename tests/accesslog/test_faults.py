"""Commits that fail, answers that get lost, callers that go away: nothing is lost or doubled."""

import asyncio

import pytest

from shared.accesslog import LogStore
from shared.accesslog.storage.layout import GROUP_ENTRIES
from shared.errors import UnavailableError
from tests.accesslog.faulty import DiedError, FaultyTables
from tests.accesslog.logs import SECRET, assert_sound, entries, kept_ids


@pytest.fixture
def faulty(kept):
    return FaultyTables(kept)


@pytest.fixture
def failing(faulty):
    """A log store on tables that fail as told."""
    return LogStore(faulty, SECRET)


@pytest.mark.parametrize("is_new", [True, False], ids=["new log", "old log"])
@pytest.mark.parametrize("fault", ["before", "after", "late"])
async def test_a_lost_answer_is_made_up_for(failing, faulty, tenant, fault, is_new):
    if not is_new:
        await failing.append(tenant, entries("first"))
    start = 0 if is_new else 1
    faulty.faults = [fault]
    assert await failing.append(tenant, entries("a", "b")) == [start, start + 1]
    assert await failing.append(tenant, entries("c", "b")) == [start + 2, start + 1]
    assert (await kept_ids(failing, tenant))[start:] == ["a", "b", "c"]
    await assert_sound(failing, tenant)


@pytest.mark.parametrize(
    ("faults", "is_told"),
    [(["before"] * 2, True), (["after", "before"], False), (["ok", "before", "before"], True)],
)
async def test_the_same_call_again_adds_what_is_missing(
    failing, faulty, kept, tenant, faults, is_told
):
    faulty.faults = list(faults)
    wanted = entries(*range(2 * GROUP_ENTRIES))
    (answer,) = await asyncio.gather(failing.append(tenant, wanted), return_exceptions=True)
    assert isinstance(answer, UnavailableError) == is_told
    again = await LogStore(kept, SECRET).append(tenant, wanted)
    assert again == list(range(len(wanted)))
    assert await kept_ids(failing, tenant) == [str(number) for number in range(len(wanted))]
    await assert_sound(failing, tenant)


async def test_everyone_who_waits_is_told_that_storage_is_down_and_may_come_again(
    failing, faulty, tenant
):
    faulty.faults = ["before"] * 2
    calls = [entries(*(f"{caller}-{number}" for number in range(60))) for caller in range(5)]
    answers = await asyncio.gather(
        *(failing.append(tenant, call) for call in calls), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [UnavailableError] * 5
    assert faulty.commits == 2
    assert (await failing.head(tenant)).size == 0
    indices = await asyncio.gather(*(failing.append(tenant, call) for call in calls))
    assert [list(one) for one in indices] == [list(range(n, n + 60)) for n in range(0, 300, 60)]
    await assert_sound(failing, tenant)


@pytest.mark.parametrize("fault", ["die before", "die after"])
async def test_a_crash_leaves_a_sound_log_which_another_instance_goes_on_with(
    failing, faulty, kept, tenant, fault
):
    await failing.append(tenant, entries("a"))
    faulty.faults = [fault]
    with pytest.raises(DiedError):
        await failing.append(tenant, entries("b", "c"))
    other = LogStore(kept, SECRET)
    was_committed = fault == "die after"
    assert await kept_ids(other, tenant) == (["a", "b", "c"] if was_committed else ["a"])
    await assert_sound(other, tenant)
    assert await other.append(tenant, entries("b", "c", "d")) == [1, 2, 3]
    await assert_sound(other, tenant)


async def test_a_caller_who_goes_away_harms_nobody(failing, faulty, tenant):
    callers = [asyncio.create_task(failing.append(tenant, entries(n))) for n in range(10)]
    await asyncio.sleep(0)
    callers[9].cancel()
    await faulty.began.wait()
    # Under way by now; what comes here waits for the next commit.
    callers.append(asyncio.create_task(failing.append(tenant, entries(10))))
    await asyncio.sleep(0)
    callers[3].cancel()
    callers[10].cancel()
    others = [one for number, one in enumerate(callers) if number not in {3, 9, 10}]
    indices = [index for (index,) in await asyncio.gather(*others)]
    assert indices == [0, 1, 2, 4, 5, 6, 7, 8]
    # One who left before its entry was on its way took it along.
    assert await kept_ids(failing, tenant) == [str(number) for number in range(9)]
    assert await failing.append(tenant, entries(3, 10)) == [3, 9]
    await assert_sound(failing, tenant)


async def test_nobody_waits_for_ever_for_an_appender_that_ended(failing, faulty, tenant):
    callers = [asyncio.create_task(failing.append(tenant, entries(n))) for n in range(3)]
    await faulty.began.wait()
    callers.append(asyncio.create_task(failing.append(tenant, entries(3))))
    await asyncio.sleep(0)
    # As when the loop ends with all of its tasks.
    failing._group_commit(tenant)._running.cancel()
    assert all(
        isinstance(answer, asyncio.CancelledError)
        for answer in await asyncio.gather(*callers, return_exceptions=True)
    )
    assert await failing.append(tenant, entries(*range(4))) == [0, 1, 2, 3]
    await assert_sound(failing, tenant)


class Choosy(FaultyTables):
    """Tables that refuse one entry for a reason that nobody foresaw."""

    async def commit(self, table, operations):
        if any(b"poison" in column for column in columns(operations)):
            self.commits += 1
            raise ValueError("what is this?")
        return await super().commit(table, operations)


def columns(operations):
    """The binary columns of the rows that are written."""
    values = [value for operation in operations for value in operation.row.values.values()]
    return [value for value in values if isinstance(value, bytes)]


async def test_an_entry_that_storage_refuses_fails_its_caller_alone(kept, tenant):
    store = LogStore(Choosy(kept), SECRET)
    calls = [entries("a"), entries("b", "poison"), entries("c"), entries("d")]
    answers = await asyncio.gather(
        *(store.append(tenant, call) for call in calls), return_exceptions=True
    )
    assert isinstance(answers[1], ValueError)
    assert [answers[0], *answers[2:]] == [[0], [1], [2]]
    assert await kept_ids(store, tenant) == ["a", "c", "d"]
    await assert_sound(store, tenant)


class Contended(FaultyTables):
    """Tables where another instance always comes first, so many times."""

    def __init__(self, tables, other, tenant, times):
        super().__init__(tables)
        self._other, self._tenant, self._times = other, tenant, times

    async def commit(self, table, operations):
        if self._times:
            self._times -= 1
            await self._other.append(self._tenant, entries(f"other-{self._times}"))
        return await super().commit(table, operations)


async def test_who_loses_against_other_instances_gets_its_turn(kept, tenant):
    store = LogStore(Contended(kept, LogStore(kept, SECRET), tenant, 6), SECRET)
    assert await store.append(tenant, entries("a", "other-3")) == [6, 2]
    assert await kept_ids(store, tenant) == [f"other-{n}" for n in range(5, -1, -1)] + ["a"]
    await assert_sound(store, tenant)
