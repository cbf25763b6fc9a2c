"""The timer trigger: NCRONTAB schedules, and a record of the last run that outlives the host.

Source: "Timer trigger for Azure Functions" (learn.microsoft.com). Details beyond the page follow
the timer extension's ScheduleMonitor and TimerListener. A timer that ran before, with an unchanged
schedule, makes up once for missed runs, at the next start. A time that comes during a run is served
right after the run.
"""

import asyncio
import json
import logging
import re
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import AzureError
from azure_functions_runtime.bindings.datumdef import Datum
from croniter import CroniterBadDateError, croniter

from infra.local.host.errors import StartupError
from infra.local.host.invoke import Invoker
from infra.local.host.loading import Function
from infra.local.host.settings import AppSettings
from infra.local.host.storage import HostStorage

log = logging.getLogger("host.timers")

# The signs with the same meaning in NCRONTAB and croniter. Further signs differ in meaning.
FIELD = re.compile(r"[\d*/,\-]+|(?:[A-Za-z]{3}[,\-]?)+")
# Long waits are split, because the clock may be set and the machine may sleep.
LONGEST_WAIT = timedelta(seconds=30)
RETRY_WAIT = timedelta(seconds=1)
# .NET's default time, which stands for no time.
NEVER = "0001-01-01T00:00:00+00:00"


class TimerSchedule:
    """The times of a timer, in UTC as in Azure."""

    def __init__(self, expression: str) -> None:
        """Raise StartupError unless the text is 5 or 6 NCRONTAB fields that fire some day."""
        fields = expression.split()
        if len(fields) == 5:
            fields.insert(0, "0")
        self._expression = " ".join(fields)
        known = len(fields) == 6 and all(FIELD.fullmatch(field) for field in fields)
        if not known or not croniter.is_valid(self._expression, second_at_beginning=True):
            raise StartupError(f"schedule {expression!r} is not a six-field NCRONTAB expression")
        try:
            self.after(datetime.now(UTC))
        except CroniterBadDateError:  # Such as on every 30 February.
            raise StartupError(f"schedule {expression!r} never fires") from None

    def after(self, moment: datetime) -> datetime:
        """Return the timer's first time after this moment."""
        # In NCRONTAB a day must fit both the day of the month and the day of the week.
        times = croniter(self._expression, moment, second_at_beginning=True, day_or=False)
        following: datetime = times.get_next(datetime)
        return following

    @property
    def frequent(self) -> bool:
        """True for more than one run a minute. A frequent schedule is never monitored."""
        first = self.after(datetime.now(UTC))
        return self.after(first) - first < timedelta(minutes=1)


class Timer:
    """Fire one function on its schedule; two scheduled runs never overlap."""

    def __init__(
        self,
        function: Function,
        schedule: TimerSchedule,
        invoker: Invoker,
        storage: HostStorage | None,
        *,
        disabled: bool,
    ) -> None:
        """Take ``storage``, the place of the last run's record; with None missed runs are lost.

        A disabled timer runs only by hand.
        """
        self.function = function
        self._schedule = schedule
        self._invoker = invoker
        self._storage = storage
        self._status: dict[str, str] = {}
        self._by_hand: set[asyncio.Task[None]] = set()
        self._disabled = disabled
        self._run_on_startup = bool(function.trigger.get("runOnStartup"))

    def fire(self, text: str) -> None:
        """Run the function at once, beside the schedule, for the admin endpoint.

        A timer ignores the text.
        """
        del text
        task = asyncio.create_task(self._invoke(past_due=False))
        self._by_hand.add(task)
        task.add_done_callback(self._by_hand.discard)

    async def run(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        """Fire until ``stopping``; return when no run is in flight."""
        if self._disabled:
            ready.set()
            await stopping.wait()
        else:
            await self._keep_time(ready, stopping)
        if self._by_hand:
            await asyncio.wait(self._by_hand)

    async def _keep_time(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        past_due = None
        while past_due is None:
            try:
                past_due = await self._recall()
            except AzureError as error:
                log.warning("%s: cannot read the last run: %s", self.function.name, error)
                if not await self._wait(datetime.now(UTC) + RETRY_WAIT, stopping):
                    return
        ready.set()
        if past_due or self._run_on_startup:
            await self._run_scheduled(past_due=past_due)
        due = self._schedule.after(datetime.now(UTC))
        while await self._wait(due, stopping):
            due = self._schedule.after(await self._run_scheduled(past_due=False))

    async def _recall(self) -> bool:
        """Read the last run. Return True when a time of the schedule has passed since."""
        if self._storage is None:
            return False
        await self._storage.open()
        now = datetime.now(UTC)
        found = await self._storage.read(self._name)
        if found is None:
            await self._remember(NEVER, self._schedule.after(now), now)
            return False
        self._status = found
        last = found["Last"]
        expected = self._schedule.after(
            now if last.startswith("0001-") else datetime.fromisoformat(last)
        )
        if expected == datetime.fromisoformat(found["Next"]):
            return expected < now
        # The schedule has changed, or the timer has never run.
        await self._remember(NEVER, self._schedule.after(now) if expected < now else expected, now)
        return False

    async def _run_scheduled(self, *, past_due: bool) -> datetime:
        """Run the function and record the run. Return the run's start."""
        started = datetime.now(UTC)
        await self._invoke(past_due=past_due)
        try:
            await self._remember(started.isoformat(), self._schedule.after(started), started)
        except AzureError as error:
            # The run itself is done; at worst the next host start repeats the run once.
            log.warning("%s: the last run was not written: %s", self.function.name, error)
        return started

    async def _invoke(self, *, past_due: bool) -> None:
        document = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": self._status,
            "IsPastDue": past_due,
        }
        await self._invoker.run(self.function, Datum(json.dumps(document), "json"))

    async def _remember(self, last: str, following: datetime, updated: datetime) -> None:
        if self._storage is None:
            return
        self._status = {
            "Last": last,
            "Next": following.isoformat(),
            "LastUpdated": updated.isoformat(),
        }
        await self._storage.write(self._name, self._status)

    @property
    def _name(self) -> str:
        host = self._storage.host if self._storage else ""
        return f"timers/{host}/Host.Functions.{self.function.name}/status"

    @staticmethod
    async def _wait(until: datetime, stopping: asyncio.Event) -> bool:
        """Wait until a time; return False when the host stops first."""
        while (left := until - datetime.now(UTC)) > timedelta(0):
            try:
                async with asyncio.timeout(min(left, LONGEST_WAIT).total_seconds()):
                    await stopping.wait()
            except TimeoutError:
                continue
            return False
        return not stopping.is_set()


def timers(
    functions: list[Function], settings: AppSettings, invoker: Invoker, storage: HostStorage | None
) -> list[Timer]:
    """Return the timer functions. Raise StartupError with a line for each unusable function."""
    found: list[Timer] = []
    wrong: list[str] = []
    for function in functions:
        if function.kind != "timerTrigger":
            continue
        try:
            schedule = TimerSchedule(settings.resolve(function.trigger["schedule"]))
        except StartupError as refused:
            wrong += [f"function {function.name}: {line}" for line in refused.lines]
            continue
        monitored = function.trigger.get("useMonitor") is not False and not schedule.frequent
        disabled = settings.disabled(function.name)
        found.append(
            Timer(function, schedule, invoker, storage if monitored else None, disabled=disabled)
        )
    if found and settings.get("WEBSITE_TIME_ZONE"):
        wrong.append("the app setting WEBSITE_TIME_ZONE is not supported: schedules are in UTC")
    if wrong:
        raise StartupError(*wrong)
    return found
