"""The outbox: what must follow a commit is committed with it.

Messages are written as rows in the same entity-group transaction as the change of state that
they announce, sent right after, and then removed. What a crash left is found by `sweep`.

Scanning whole tables for such rows would cost more with every asset. So, before the first commit
to a partition, an instance leaves a marker row in the table `outbox` that names the partition,
and freshens it every few minutes; the sweep looks only where a marker points. A marker that has
not been freshened for much longer than any transaction can take is removed with its partition
found empty.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.errors import RowConflictError, UnavailableError
from shared.ids import key, rfc3339
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

TABLE = "outbox"
_MARKERS = "markers"
_PREFIX = "outbox|"
_FRESHEN_AFTER = timedelta(minutes=5)
_FORGET_AFTER = timedelta(minutes=30)
# A younger row is most likely being sent by the instance that wrote it.
_SWEEP_AFTER = timedelta(seconds=30)
_TRANSACTION_LIMIT = 100

logger = logging.getLogger("vouchsafe.outbox")


class Outbox:
    """Commits changes of state together with the messages that follow from them."""

    def __init__(self, tables: Tables, bus: Sender, clock: Clock) -> None:
        self._tables = tables
        self._bus = bus
        self._clock = clock
        self._marked: dict[tuple[str, str], datetime] = {}

    async def commit(
        self,
        table: str,
        partition: str,
        operations: Sequence[Operation],
        messages: Sequence[OutgoingMessage] = (),
    ) -> None:
        """Commit `operations` and `messages` as one, then send the messages.

        `operations` are all on `partition`; with the messages they are at most 100. Raises
        RowConflictError when a precondition does not hold: nothing is committed then. When the
        bus is down the messages stay in the outbox for the sweep.
        """
        now = self._clock()
        if messages:
            await self._mark(table, partition, now)
        rows = [_to_row(partition, message, now) for message in messages]
        await self._tables.commit(table, [*operations, *(Insert(row) for row in rows)])
        if rows:
            await self._publish(table, rows)

    async def flush(self, table: str, partition: str) -> None:
        """Send what a crash left in one partition, however young."""
        rows = [row async for row in self._tables.scan(table, partition, prefix=_PREFIX)]
        if rows:
            await self._publish(table, rows)

    async def sweep(self) -> int:
        """Send what crashes left anywhere. Returns how many messages were found.

        Raises UnavailableError when a queue could not be sent to, once the messages to all others
        are sent: the next sweep tries again.
        """
        found = 0
        failed: dict[object, UnavailableError] = {}
        now = self._clock()
        async for marker in self._tables.scan(TABLE, _MARKERS):
            table, partition = str(marker.values["table"]), str(marker.values["partition"])
            rows = [row async for row in self._tables.scan(table, partition, prefix=_PREFIX)]
            due = [row for row in rows if _age(row, now) > _SWEEP_AFTER]
            if due:
                found += len(due)
                await self._send_by_queue(table, due, failed)
            elif not rows and _age(marker, now) > _FORGET_AFTER:
                await self._forget(marker)
        for error in failed.values():
            raise error
        return found

    async def _send_by_queue(
        self, table: str, rows: Sequence[Row], failed: dict[object, UnavailableError]
    ) -> None:
        """Send to each queue that has not failed yet, so that a broken one holds up no other.

        What takes messages in a queue's place may fail for one partition alone.
        """
        for queue in dict.fromkeys(row.values["queue"] for row in rows):
            if queue not in failed:
                try:
                    await self._send(table, [row for row in rows if row.values["queue"] == queue])
                except UnavailableError as error:
                    failed[queue if error.service == "bus" else (table, rows[0].partition)] = error

    async def _mark(self, table: str, partition: str, now: datetime) -> None:
        marked_at = self._marked.get((table, partition))
        if marked_at is not None and now - marked_at < _FRESHEN_AFTER:
            return
        values = {"table": table, "partition": partition, "written": rfc3339(now)}
        await self._tables.commit(TABLE, [Upsert(Row(_MARKERS, key(table, partition), values))])
        self._marked = {k: at for k, at in self._marked.items() if now - at < _FRESHEN_AFTER}
        self._marked[table, partition] = now

    async def _forget(self, marker: Row) -> None:
        try:
            await self._tables.commit(TABLE, [Delete(marker.partition, marker.row, marker.etag)])
        except RowConflictError:
            logger.debug("a marker was freshened while it was to be forgotten")

    async def _publish(self, table: str, rows: Sequence[Row]) -> None:
        try:
            await self._send(table, rows)
        except UnavailableError as error:
            logger.warning("%d messages stay in the outbox: %s", len(rows), error)

    async def _send(self, table: str, rows: Sequence[Row]) -> None:
        await self._bus.send([_to_message(row) for row in rows])
        for start in range(0, len(rows), _TRANSACTION_LIMIT):
            part = rows[start : start + _TRANSACTION_LIMIT]
            if len(part) == 1:
                await self._tables.delete(table, part[0].partition, part[0].row)
                continue
            try:
                await self._tables.commit(table, [Delete(row.partition, row.row) for row in part])
            except RowConflictError:
                # The sweep and the writer met: remove one by one what the other has left.
                for row in part:
                    await self._tables.delete(table, row.partition, row.row)


def _to_row(partition: str, message: OutgoingMessage, now: datetime) -> Row:
    values = {
        "queue": message.queue,
        "messageId": message.id,
        "session": message.session or "",
        "body": message.body.decode(),
        "written": rfc3339(now),
    }
    return Row(partition, _PREFIX + key(message.queue, message.id), values)


def _to_message(row: Row) -> OutgoingMessage:
    return OutgoingMessage(
        queue=str(row.values["queue"]),
        id=str(row.values["messageId"]),
        body=str(row.values["body"]).encode(),
        session=str(row.values["session"]) or None,
    )


def _age(row: Row, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(str(row.values["written"]))
