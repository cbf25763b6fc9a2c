"""Appending on the stack's own tables: order, repeats, refusals, many at once."""

import asyncio

import pytest

from shared.accesslog import EventIdReusedError, LogStore
from shared.accesslog.storage.layout import GROUP_ENTRIES
from shared.errors import TooLargeError
from tests.accesslog.logs import SECRET, assert_sound, entries, entry, kept_ids, new_tenant


async def test_entries_get_the_next_indices_in_their_order(store, tenant):
    assert await store.append(tenant, entries("a", "b")) == [0, 1]
    assert await store.append(tenant, entries("c")) == [2]
    assert await kept_ids(store, tenant) == ["a", "b", "c"]
    await assert_sound(store, tenant)


async def test_an_empty_call_does_nothing(store, tenant):
    assert await store.append(tenant, []) == []
    assert (await store.head(tenant)).size == 0


async def test_a_call_of_more_than_a_group_keeps_its_order(store, tenant):
    wanted = [str(number) for number in range(2 * GROUP_ENTRIES + 90)]
    assert await store.append(tenant, entries(*wanted)) == list(range(len(wanted)))
    assert await kept_ids(store, tenant) == wanted
    await assert_sound(store, tenant)


async def test_an_event_that_comes_again_is_where_it_was(store, kept, tenant):
    await store.append(tenant, entries("a", "b", "c"))
    for again in (store, LogStore(kept, SECRET)):
        assert await again.append(tenant, entries("c", "d", "a")) == [2, 3, 0]
    assert await kept_ids(store, tenant) == ["a", "b", "c", "d"]


async def test_an_event_twice_in_a_call_is_one_entry(store, tenant):
    assert await store.append(tenant, entries("a", "b", "a")) == [0, 1, 0]
    assert await kept_ids(store, tenant) == ["a", "b"]


async def test_the_same_id_of_another_source_is_another_event(store, tenant):
    both = [entry("a", source="one"), entry("a", source="two")]
    assert await store.append(tenant, both) == [0, 1]


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "in the same call"])
async def test_an_event_with_other_content_is_refused_and_the_others_are_kept(
    store, tenant, is_kept
):
    first = entries("a") if is_kept else []
    await store.append(tenant, first)
    call = [*([] if is_kept else entries("a")), entry("a", changed=True), entry("b")]
    with pytest.raises(EventIdReusedError) as refused:
        await store.append(tenant, call)
    assert refused.value.code == "event-id-reused"
    assert refused.value.refused == [len(call) - 2]
    assert refused.value.indices == ([None, 1] if is_kept else [0, None, 1])
    assert await kept_ids(store, tenant) == ["a", "b"]


async def test_a_refused_entry_is_nobody_elses_trouble(store, tenant):
    await store.append(tenant, entries("a"))
    calls = [entries("b"), [entry("a", changed=True)], entries("c"), entries("a")]
    answers = await asyncio.gather(
        *(store.append(tenant, call) for call in calls), return_exceptions=True
    )
    assert isinstance(answers[1], EventIdReusedError)
    assert [answers[0], *answers[2:]] == [[1], [2], [0]]
    await assert_sound(store, tenant)


async def test_an_entry_too_large_for_a_bundle_is_refused_before_anything_is_added(store, tenant):
    with pytest.raises(TooLargeError):
        await store.append(tenant, [entry("a"), entry("b", pad="x" * 65_536)])
    assert (await store.head(tenant)).size == 0


async def test_groups_of_large_entries_fit_into_the_service(store, tenant):
    large = [entry(number, pad="x" * 65_000) for number in range(25)]
    assert await store.append(tenant, large) == list(range(25))
    assert await assert_sound(store, tenant) == [one.payload for one in large]


async def test_what_waits_meanwhile_goes_with_the_next_commit(kept, tenant):
    counted = Counting(kept)
    store = LogStore(counted, SECRET)
    callers = [store.append(tenant, entries(number)) for number in range(GROUP_ENTRIES)]
    indices = [index for (index,) in await asyncio.gather(*callers)]
    assert indices == list(range(GROUP_ENTRIES))
    assert counted.commits == 1


async def test_tenants_do_not_wait_for_each_other_or_see_each_other(store):
    tenants = [new_tenant() for _ in range(5)]
    calls = [(tenant, number) for number in range(20) for tenant in tenants]
    await asyncio.gather(*(store.append(tenant, entries(number)) for tenant, number in calls))
    for tenant in tenants:
        assert await kept_ids(store, tenant) == [str(number) for number in range(20)]
        await assert_sound(store, tenant)


async def test_many_instances_at_once_make_one_log(kept, tenant):
    stores = [LogStore(kept, SECRET) for _ in range(4)]

    async def some(number, store):
        return [
            index
            for step in range(10)
            for index in await store.append(
                tenant, entries(f"{number}-{step}", f"{number}-{step}+")
            )
        ]

    indices = await asyncio.gather(*(some(*numbered) for numbered in enumerate(stores)))
    assert sorted(index for one in indices for index in one) == list(range(80))
    assert all(one == sorted(one) for one in indices)
    await assert_sound(stores[0], tenant)


class Counting:
    """Tables that count the commits."""

    def __init__(self, tables):
        self._tables = tables
        self.commits = 0

    def __getattr__(self, name):
        return getattr(self._tables, name)

    async def commit(self, table, operations):
        self.commits += 1
        return await self._tables.commit(table, operations)
