"""The outbox: what must follow a commit is committed with the commit.

Messages and log entries are written as rows in the entity-group transaction of the change of state
that they report, sent right after, and then removed. `sweep` sends the rows that a crash left.

A scan of whole tables for outbox rows would cost more with every asset. So, before the first commit
to a partition, an instance writes a marker row for the partition to the table `outbox`, and
refreshes the marker every few minutes. The sweep reads only the partitions that a marker names. The
sweep removes a marker that is much older than any transaction can take, once the partition is
empty.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.catalogue import ACCESS_EVENTS_QUEUE, OUTBOX_TABLE
from shared.errors import (
    IntegrityError,
    RefusalError,
    RowConflictError,
    UnavailableError,
    kind_and_place,
)
from shared.ids import key, rfc3339
from shared.messages.cloudevents import encode
from shared.messages.outbox_rows import (
    LOG,
    PREFIX,
    EntryLog,
    Outgoing,
    OutgoingEntry,
    address_of,
    outgoing_of,
    row_of,
)
from shared.messages.parking import parked_entry
from shared.ports import (
    Clock,
    Delete,
    Insert,
    Operation,
    OutgoingMessage,
    Row,
    Sender,
    Tables,
    Upsert,
)

_MARKERS = "markers"
_REFRESH_AFTER = timedelta(minutes=5)
_FORGET_AFTER = timedelta(minutes=30)
# The instance that wrote a younger row is most likely sending the row.
_SWEEP_AFTER = timedelta(seconds=30)
_TRANSACTION_LIMIT = 100

logger = logging.getLogger("vouchsafe.outbox")


class Outbox:
    """Commits changes of state together with the messages and log entries that follow."""

    def __init__(self, tables: Tables, bus: Sender, log: EntryLog, clock: Clock) -> None:
        self._tables = tables
        self._bus = bus
        self._log = log
        self._clock = clock
        self._marked: dict[tuple[str, str], datetime] = {}

    async def commit(
        self,
        table: str,
        partition: str,
        operations: Sequence[Operation],
        outgoing: Sequence[Outgoing] = (),
    ) -> None:
        """Commit `operations` and `outgoing` as one transaction, then send `outgoing`.

        `operations` are on `partition`; with `outgoing` they are at most 100. Raises
        RowConflictError when a precondition does not hold: nothing is committed then. While the
        bus or the log is down, `outgoing` stays in the outbox for the sweep.
        """
        now = self._clock()
        if outgoing:
            await self._mark(table, partition, now)
        rows = [row_of(partition, one, now) for one in outgoing]
        await self._tables.commit(table, [*operations, *(Insert(row) for row in rows)])
        if rows:
            await self._publish(table, rows)

    async def flush(self, table: str, partition: str) -> None:
        """Send the rows that a crash left in one partition, however young."""
        rows = [row async for row in self._tables.scan(table, partition, prefix=PREFIX)]
        if rows:
            await self._publish(table, rows)

    async def sweep(self) -> int:
        """Send the rows that crashes left anywhere. Returns the number of due rows.

        Raises UnavailableError when a queue or a log could not be reached, after sending every
        other row: the next sweep tries again.
        """
        found = 0
        failed: dict[object, UnavailableError] = {}
        now = self._clock()
        async for marker in self._tables.scan(OUTBOX_TABLE.name, _MARKERS):
            table, partition = str(marker.values["table"]), str(marker.values["partition"])
            rows = [row async for row in self._tables.scan(table, partition, prefix=PREFIX)]
            due = [row for row in rows if _age(row, now) > _SWEEP_AFTER]
            if due:
                found += len(due)
                await self._send_each_address(table, due, failed)
            elif not rows and _age(marker, now) > _FORGET_AFTER:
                await self._forget(marker)
        for error in failed.values():
            raise error
        return found

    async def _publish(self, table: str, rows: Sequence[Row]) -> None:
        failed: dict[object, UnavailableError] = {}
        await self._send_each_address(table, rows, failed)
        for error in failed.values():
            logger.warning("some of %d rows stay in the outbox: %s", len(rows), error)

    async def _send_each_address(
        self, table: str, rows: Sequence[Row], failed: dict[object, UnavailableError]
    ) -> None:
        """Send the entries to the log and the messages to each queue; remove the rows sent.

        A queue or a log that is down holds up no other address. A queue that is down fails for
        every partition, the log only for the partition at hand.
        """
        sent: list[Row] = []
        partition = (table, rows[0].partition)
        readable = _readable(rows)
        if len(readable) < len(rows):
            failed[partition, "unreadable"] = UnavailableError("outbox")
        addresses = {address_of(row) for row, _ in readable}
        for address in sorted(addresses, key=lambda name: name != LOG):
            place = partition if address == LOG else address
            if place in failed:
                continue
            addressed = [pair for pair in readable if address_of(pair[0]) == address]
            try:
                done = await self._send(addressed)
            except UnavailableError as error:
                failed[place] = error
                continue
            sent += done
            if len(done) < len(addressed):
                failed[place] = UnavailableError("log")
        try:
            await self._remove(table, sent)
        except UnavailableError as error:
            # The rows are sent again later, and each receiver knows the repeated id.
            failed[partition, "removal"] = error

    async def _send(self, addressed: Sequence[tuple[Row, Outgoing]]) -> Sequence[Row]:
        """Send the rows of one address. Returns the rows that need no sending any more."""
        rows = [row for row, _ in addressed]
        outgoing = [one for _, one in addressed]
        entries = [one for one in outgoing if isinstance(one, OutgoingEntry)]
        if not entries:
            await self._bus.send([one for one in outgoing if isinstance(one, OutgoingMessage)])
            return rows
        reasons = await self._record(entries)
        refused = [
            self._parked(entry, reason)
            for entry, reason in zip(entries, reasons, strict=True)
            if isinstance(reason, RefusalError)
        ]
        if refused:
            await self._bus.send(refused)
        answered = zip(rows, reasons, strict=True)
        return [row for row, reason in answered if not isinstance(reason, IntegrityError)]

    async def _record(
        self, entries: Sequence[OutgoingEntry]
    ) -> Sequence[RefusalError | IntegrityError | None]:
        try:
            return await self._log.record_entries(entries)
        except UnavailableError:
            raise
        except Exception as error:
            # The entries report finished work, and so stay until the log has the entries.
            logger.error("entries stay in the outbox: %s", kind_and_place(error))  # noqa: TRY400 - see there
            raise UnavailableError("log") from error

    def _parked(self, entry: OutgoingEntry, reason: RefusalError) -> OutgoingMessage:
        logger.error("parked an entry of our own: %s", reason.code)
        event = encode(ACCESS_EVENTS_QUEUE.name, entry.data, identifier=entry.id, now=entry.time)
        return parked_entry(event, reason, self._clock())

    async def _remove(self, table: str, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), _TRANSACTION_LIMIT):
            part = rows[start : start + _TRANSACTION_LIMIT]
            if len(part) == 1:
                await self._tables.delete(table, part[0].partition, part[0].row)
                continue
            try:
                await self._tables.commit(table, [Delete(row.partition, row.row) for row in part])
            except RowConflictError:
                # The sweep and the writer met: remove each row that the other has left.
                for row in part:
                    await self._tables.delete(table, row.partition, row.row)

    async def _mark(self, table: str, partition: str, now: datetime) -> None:
        marked_at = self._marked.get((table, partition))
        if marked_at is not None and now - marked_at < _REFRESH_AFTER:
            return
        values = {"table": table, "partition": partition, "written": rfc3339(now)}
        marker = Row(_MARKERS, key(table, partition), values)
        await self._tables.commit(OUTBOX_TABLE.name, [Upsert(marker)])
        self._marked = {k: at for k, at in self._marked.items() if now - at < _REFRESH_AFTER}
        self._marked[table, partition] = now

    async def _forget(self, marker: Row) -> None:
        deletion = Delete(marker.partition, marker.row, marker.etag)
        try:
            await self._tables.commit(OUTBOX_TABLE.name, [deletion])
        except RowConflictError:
            logger.debug("a marker was refreshed while the sweep was about to remove the marker")


def _readable(rows: Sequence[Row]) -> Sequence[tuple[Row, Outgoing]]:
    """Read each row. An unreadable row stays in the outbox and holds up no other row."""
    found: list[tuple[Row, Outgoing]] = []
    for row in rows:
        try:
            found.append((row, outgoing_of(row)))
        except (KeyError, ValueError) as error:
            logger.error("an unreadable row stays in the outbox: %s", kind_and_place(error))  # noqa: TRY400 - see there
    return found


def _age(row: Row, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(str(row.values["written"]))
