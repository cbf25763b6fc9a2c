"""Planning, changing and announcing of maintenance windows.

The windows of a stamp are one partition, with a row that every planning replaces: two plannings at
once meet, and so no two windows overlap. What tenants were told is a partition for each window,
with a row for each tenant, version and announcement: the row and the notice are one transaction, so
that a tenant gets each announcement once, wherever a round is killed.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.catalogue import MAINTENANCE_TABLE, NOTICES_QUEUE
from shared.compare_and_set import compare_and_set
from shared.errors import NotFoundError, RowConflictError
from shared.ids import key, rfc3339
from shared.maintenance.announcements import (
    TenantTold,
    announcement,
    announcement_id,
    due,
    round_name,
)
from shared.maintenance.rules import (
    MaintenanceWindow,
    WindowChange,
    WindowPlan,
    called_off,
    changed,
    planned,
)
from shared.messages import Outbox, encode
from shared.messages.contracts import Actor
from shared.ports import Clock, Condition, Insert, Operation, Replace, Row, Tables, Upsert
from shared.rows import Stored, from_values, to_values
from shared.stamp_record import StampRecord
from shared.tenancy import Tenant, Tenants

_TABLE: Final = MAINTENANCE_TABLE.name
_WINDOWS: Final = "_windows"
_CALENDAR: Final = "calendar"
_ROUND: Final = "round"
# A row and an outbox row for each tenant: a transaction has 100 operations at most.
_AT_ONCE: Final = 40
_JOINED_AFTER: Final = timedelta(minutes=10)

type _ToldBefore = Mapping[str, TenantTold]


class _Round(Stored, frozen=True):
    """The last round of announcements of a window that reached every tenant: its name and time."""

    name: str
    at: datetime


class Maintenance:
    """The maintenance windows of the stamp in `region`.

    `notice` is how long before the start tenants are told, and `leads` are the times of reminders
    before the start.
    """

    def __init__(
        self,
        tables: Tables,
        outbox: Outbox,
        tenants: Tenants,
        record: StampRecord,
        clock: Clock,
        *,
        region: str,
        notice: timedelta,
        leads: Sequence[timedelta],
    ) -> None:
        self._tables = tables
        self._outbox = outbox
        self._tenants = tenants
        self._record = record
        self._clock = clock
        self._region = region
        self._notice = notice
        self._leads = tuple(leads)

    async def plan(
        self, plan: WindowPlan, identifier: str, actor: Actor
    ) -> tuple[MaintenanceWindow, str]:
        """Plan a window under an id; return the window and the ETag. The same id again is the same
        window, as it now is.

        Raises the errors of `rules.planned`.
        """

        async def attempt() -> tuple[MaintenanceWindow, str]:
            row = await self._tables.get(_TABLE, _WINDOWS, key("window", identifier))
            if row is not None:
                return from_values(MaintenanceWindow, row.values), row.etag or ""
            calendar, others = await self._calendar()
            window = planned(
                plan,
                identifier,
                actor,
                region=self._region,
                notice=self._notice,
                others=others,
                now=self._clock(),
            )
            await self._recorded(actor, "maintenance.planned", window, plan.emergency)
            change = Insert(Row(_WINDOWS, key("window", identifier), to_values(window)))
            await self._tables.commit(_TABLE, [calendar, change])
            return await self.find(identifier)

        return await compare_and_set(attempt)

    async def change(
        self, identifier: str, change: WindowChange, actor: Actor, check: Callable[[str], None]
    ) -> tuple[MaintenanceWindow, str]:
        """Change a window whose ETag `check` accepts; return the window and the new ETag.

        Raises NotFoundError, the errors of `check` and of `rules.changed`.
        """

        async def attempt() -> tuple[MaintenanceWindow, str]:
            calendar, others = await self._calendar()
            window, etag = await self.find(identifier)
            check(etag)
            after = changed(
                window,
                change,
                region=self._region,
                notice=self._notice,
                others=others,
                now=self._clock(),
            )
            if after == window:
                return window, etag
            await self._recorded(actor, "maintenance.changed", after, change.reason)
            row = Row(_WINDOWS, key("window", identifier), to_values(after), etag)
            await self._tables.commit(_TABLE, [calendar, Replace(row)])
            return await self.find(identifier)

        return await compare_and_set(attempt)

    async def call_off(
        self, identifier: str, reason: str, actor: Actor, check: Callable[[str], None]
    ) -> tuple[MaintenanceWindow, str]:
        """Call a window off whose ETag `check` accepts; return the window and the new ETag.

        Raises NotFoundError, the errors of `check` and of `rules.called_off`.
        """

        async def attempt() -> tuple[MaintenanceWindow, str]:
            window, etag = await self.find(identifier)
            check(etag)
            after = called_off(window, reason, self._clock())
            await self._recorded(actor, "maintenance.called-off", after, reason)
            row = Row(_WINDOWS, key("window", identifier), to_values(after), etag)
            await self._tables.commit(_TABLE, [Replace(row)])
            return await self.find(identifier)

        return await compare_and_set(attempt)

    async def find(self, identifier: str) -> tuple[MaintenanceWindow, str]:
        """Return a window and the ETag. Raises NotFoundError."""
        row = await self._tables.get(_TABLE, _WINDOWS, key("window", identifier))
        if row is None or row.etag is None:
            raise NotFoundError(
                "maintenance-window-not-found",
                "There is no maintenance window with the id.",
                "List the maintenance windows.",
            )
        return from_values(MaintenanceWindow, row.values), row.etag

    async def page(
        self, *, size: int, continuation: str | None
    ) -> tuple[Sequence[MaintenanceWindow], str | None]:
        """Return a page of every window, the first planned first, and the next page's token."""
        page = await self._tables.page(
            _TABLE, _WINDOWS, prefix=key("window", ""), size=size, continuation=continuation
        )
        return [from_values(MaintenanceWindow, row.values) for row in page.rows], page.continuation

    async def upcoming(self, tenant: str) -> Sequence[MaintenanceWindow]:
        """Return the windows that concern a tenant and are not over, the earliest first.

        Windows that were called off are among them. Raises NotFoundError for an unknown tenant.
        """
        zone = (await self._tenants.require(tenant)).residency_zone
        found = [window for window in await self._open() if zone in window.zones]
        return sorted(found, key=lambda one: (one.starts_at, one.id))

    async def announced(self) -> Sequence[MaintenanceWindow]:
        """Return the windows not over whose present version was announced to every tenant.

        For `rules.access_basis`.
        """
        found = []
        for window in await self._open():
            last = await self._last_round(window)
            if last is not None and last.name.partition("|")[0] == str(window.version):
                found.append(window)
        return found

    async def announce(self) -> int:
        """Tell the tenants what is due. Returns the number of announcements.

        A round of a window looks at every tenant when an announcement becomes due, and every ten
        minutes for tenants that joined. Raises UnavailableError; the next round goes on.
        """
        now = self._clock()
        rounds = []
        for window in await self._open():
            name, last = round_name(window, self._leads, now), await self._last_round(window)
            # A clock that went back must not put a round off.
            is_fresh = last is not None and timedelta(0) <= now - last.at < _JOINED_AFTER
            if last is None or last.name != name or not is_fresh:
                rounds.append((window, name))
        if not rounds:
            return 0
        tenants = [tenant async for tenant in self._tenants.every()]
        count = 0
        for window, name in rounds:
            count += await self._announce(window, tenants, now)
            kept = Row(window.id, _ROUND, to_values(_Round(name=name, at=now)))
            await self._tables.commit(_TABLE, [Upsert(kept)])
        return count

    async def _announce(
        self, window: MaintenanceWindow, tenants: Sequence[Tenant], now: datetime
    ) -> int:
        """Tell every tenant what is due. Returns the number of announcements."""
        count, told = 0, await self._told(window)
        for start in range(0, len(tenants), _AT_ONCE):
            part = tenants[start : start + _AT_ONCE]
            try:
                count += await self._tell(window, part, told, now)
            except RowConflictError:
                # Another round is under way, and has told some of the tenants.
                told = await self._told(window)
                count += await self._tell(window, part, told, now)
        return count

    async def _tell(
        self,
        window: MaintenanceWindow,
        tenants: Sequence[Tenant],
        told: _ToldBefore,
        now: datetime,
    ) -> int:
        rows, messages = [], []
        for tenant in tenants:
            found = due(window, tenant, told.get(tenant.id, {}), self._leads, now)
            if found is None:
                continue
            name, change = found
            row = key("told", tenant.id, str(window.version), name)
            rows.append(Insert(Row(window.id, row, {"at": rfc3339(now)})))
            messages.append(
                encode(
                    NOTICES_QUEUE.name,
                    announcement(window, tenant, change),
                    identifier=announcement_id(window, tenant.id, name),
                    now=now,
                )
            )
        if rows:
            await self._outbox.commit(_TABLE, window.id, rows, messages)
        return len(rows)

    async def _told(self, window: MaintenanceWindow) -> _ToldBefore:
        """Return what the tenants were told of a window so far."""
        told: dict[str, dict[tuple[int, str], datetime]] = {}
        async for row in self._tables.scan(_TABLE, window.id, prefix=key("told", "")):
            _, tenant, version, name = row.row.split("|")
            at = datetime.fromisoformat(str(row.values["at"]))
            told.setdefault(tenant, {})[int(version), name] = at
        return told

    async def _open(self) -> Sequence[MaintenanceWindow]:
        where = [Condition("endsAt", "gt", rfc3339(self._clock()))]
        rows = self._tables.scan(_TABLE, _WINDOWS, prefix=key("window", ""), where=where)
        return [from_values(MaintenanceWindow, row.values) async for row in rows]

    async def _calendar(self) -> tuple[Operation, Sequence[MaintenanceWindow]]:
        """Return the write that meets every other planning, and the windows that are not over."""
        row = await self._tables.get(_TABLE, _WINDOWS, _CALENDAR)
        others = await self._open()
        values = {"planned": rfc3339(self._clock())}
        if row is None:
            return Insert(Row(_WINDOWS, _CALENDAR, values)), others
        return Replace(Row(_WINDOWS, _CALENDAR, values, row.etag)), others

    async def _last_round(self, window: MaintenanceWindow) -> _Round | None:
        row = await self._tables.get(_TABLE, window.id, _ROUND)
        return None if row is None else from_values(_Round, row.values)

    async def _recorded(
        self, actor: Actor, action: str, window: MaintenanceWindow, reason: str | None
    ) -> None:
        resource = f"maintenance-windows/{window.id}"
        await self._record.add(actor, action, [resource], reason)
