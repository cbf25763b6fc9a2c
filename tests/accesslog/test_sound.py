"""Whether a log takes entries, asked before what cannot be undone is done."""

import pytest

from shared.accesslog import LogDamagedError, LogStore
from shared.accesslog.storage import layout
from shared.ports import Delete, Row, Upsert
from tests.accesslog.faulty import FaultyTables
from tests.accesslog.logs import SECRET, entries


async def head_of(kept, tenant):
    return await kept.get(layout.TABLE, tenant, layout.HEAD)


async def test_a_log_takes_entries_from_its_first_on(store, tenant):
    await store.require_appendable(tenant)
    for number in range(3):
        await store.append(tenant, entries(number))
        await store.require_appendable(tenant)


@pytest.mark.parametrize("how", ["gone", "put back", "of no size", "of another size", "a text"])
async def test_one_whose_head_was_changed_takes_none(kept, store, tenant, how):
    await store.append(tenant, entries(0))
    first = await head_of(kept, tenant)
    await store.append(tenant, entries(1))
    head = await head_of(kept, tenant)
    edge = {"edge0": head.values["edge0"]}
    values = {
        "put back": first.values,
        "of no size": edge,
        "of another size": edge | {"size": 5},
        "a text": edge | {"size": "x"},
    }
    await kept.commit(layout.TABLE, [Delete(tenant, layout.HEAD)])
    if how in values:
        await kept.commit(layout.TABLE, [Upsert(Row(tenant, layout.HEAD, values[how]))])
    with pytest.raises(LogDamagedError):
        await store.require_appendable(tenant)
    with pytest.raises(LogDamagedError):
        await LogStore(kept, SECRET).append(tenant, entries(2))


class Growing(FaultyTables):
    """Tables of a log to which another instance adds an entry after each of the first reads."""

    def __init__(self, tables, tenant, times):
        super().__init__(tables)
        self._other, self._tenant, self.times = LogStore(tables, SECRET), tenant, times

    async def get(self, *args):
        row = await super().get(*args)
        if self.times:
            self.times -= 1
            await self._other.append(self._tenant, entries(f"other-{self.times}"))
        return row


async def test_one_that_grows_meanwhile_takes_them(kept, tenant):
    tables = Growing(kept, tenant, 5)
    await LogStore(tables, SECRET).require_appendable(tenant)
    assert tables.times == 0
