"""Carrying out deliveries: one attempt for each message, each change of state by compare-and-set.

A delivery is handed over once. The state `handing-over` is committed before the receiver has the
whole message; an attempt that finds the state, and is not the attempt that made the state, neither
sends nor guesses. See docs/explanation/notices.md.
"""

import dataclasses
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.catalogue import NOTICES_QUEUE, NOTICES_TABLE
from shared.errors import DataKeyError, NotFoundError, RowConflictError, SealError
from shared.ids import new_id
from shared.incidents import Incidents, incident_message
from shared.messages import Outbox, encode
from shared.messages.contracts import (
    Actor,
    IncidentOpened,
    Notice,
    NoticeDeliveryDue,
    NoticeUndelivered,
)
from shared.messages.outbox_rows import Outgoing
from shared.notices.channels import Channel, Parcel
from shared.notices.contact_rules import Contact
from shared.notices.contacts import Contacts
from shared.notices.records import (
    delivery_of_row,
    delivery_row,
    event_of,
    gathered_row,
    notice_of,
    notice_row,
    partition_of,
    record_of,
    row_of_delivery,
)
from shared.notices.rules import (
    HANDING_OVER,
    MANDATORY,
    DeliveryOutcome,
    NoticeDelivery,
    NoticeRecord,
    after_attempt,
    handing_over,
)
from shared.notices.service import due_message
from shared.notices.texts import Letter, digest_letter, letter_of, plain_letter
from shared.notices.texts.writing import MOST_IN_DIGEST, TemplateError
from shared.ports import Clock, OutgoingMessage, Replace, Row, Sender, Tables

_TABLE = NOTICES_TABLE.name
_TIMEOUTS = frozenset({"smtp-timeout", "http-timeout"})
# A receiver that let an attempt wait is spared by this instance for so long: the calls of the host
# are free for other receivers.
_SLOW = timedelta(minutes=1)
# More than an hour after the first attempt.
_TOLD_AFTER = 4
_DELIVERER = Actor(id="vouchsafe.notices", role="system", organisation="vendor")

logger = logging.getLogger("vouchsafe.notices")


class Deliverer:
    """Carries out deliveries. `base_url` is the URL of the API, for the links of mails."""

    def __init__(
        self,
        tables: Tables,
        outbox: Outbox,
        contacts: Contacts,
        channels: Mapping[str, Channel],
        incidents: Incidents,
        clock: Clock,
        bus: Sender,
        base_url: str,
    ) -> None:
        self._tables = tables
        self._bus = bus
        self._slow: dict[str, datetime] = {}
        self._outbox = outbox
        self._contacts = contacts
        self._channels = channels
        self._incidents = incidents
        self._clock = clock
        self._base_url = base_url

    async def deliver(self, due: NoticeDeliveryDue) -> None:
        """Carry out the attempt that is due, unless the delivery is further on.

        Raises UnavailableError and RowConflictError; the same message again does no harm.
        """
        partition = partition_of(due.tenant)
        place = delivery_row(due.notice_id, due.contact_id, due.asked)
        row = await self._tables.get(_TABLE, partition, place)
        if row is None:
            logger.warning("a delivery that is due does not exist: %s", due.notice_id)
            return
        delivery = delivery_of_row(row)
        if delivery.state == "handing-over":
            await self._doubt(due, row, delivery)
        elif delivery.state == "waiting" and len(delivery.attempts) == due.attempt:
            await self._attempt(due, row, delivery)
        else:
            await self._outbox.flush(_TABLE, partition)

    async def _attempt(self, due: NoticeDeliveryDue, row: Row, delivery: NoticeDelivery) -> None:
        state = _Claim(self._tables, row, delivery, self._clock)
        try:
            contact, _ = await self._contacts.read(due.tenant, due.contact_id)
        except NotFoundError:
            contact = None
        if contact is None or contact.disabled is not None:
            dropped = replace(delivery, state="dropped", due_at=None, ended_at=self._clock())
            await self._commit(due, state.row, dropped, [])
            return
        receiver = "mail" if contact.channel == "mail" else contact.id
        if (until := self._slow.get(receiver)) is not None and self._clock() < until:
            await self._again(due, delivery, until)
            return
        parcel = await self._parcel(due, contact)
        try:
            outcome = await self._channels[contact.channel].deliver(parcel, state.hand_over)
        except RowConflictError:
            logger.info("another attempt has handed a notice over")
            return
        await self._finish(due, state, outcome)
        if outcome.result in _TIMEOUTS:
            self._slow[receiver] = self._clock() + _SLOW
        if outcome.kind == "gone":
            await self._contacts.disable(due.tenant, contact.id, outcome.result, _DELIVERER)

    async def _doubt(self, due: NoticeDeliveryDue, row: Row, delivery: NoticeDelivery) -> None:
        """Judge a delivery that was being handed over: by a live attempt, or by one that died.

        A webhook is posted again, under the id that its receiver knows. An e-mail has no such
        receiver: the delivery stays in doubt.
        """
        now = self._clock()
        handed = delivery.handed_at or now
        if now - handed < HANDING_OVER:
            await self._again(due, delivery, handed + HANDING_OVER)
            return
        is_webhook = delivery.channel == "webhook"
        judged = DeliveryOutcome("retry" if is_webhook else "in-doubt", "interrupted")
        await self._finish(due, _Claim(self._tables, row, delivery, self._clock), judged)

    async def _again(
        self, due: NoticeDeliveryDue, delivery: NoticeDelivery, until: datetime
    ) -> None:
        """Send the message of an attempt again for a later time, under an id of its own."""
        now = self._clock()
        message = due_message(due.tenant, delivery, now)
        identifier = f"{message.id}:{new_id(now)}"
        later = dataclasses.replace(message, id=identifier, not_before=until)
        await self._bus.send([later])

    async def _finish(
        self, due: NoticeDeliveryDue, state: "_Claim", outcome: DeliveryOutcome
    ) -> None:
        now = self._clock()
        after = after_attempt(state.delivery, outcome, now)
        outgoing: list[Outgoing] = []
        if after.state == "waiting":
            outgoing.append(due_message(due.tenant, after, now))
            if len(after.attempts) == _TOLD_AFTER:
                outgoing.append(_delayed(after, outcome, now))
        elif after.state in ("refused", "in-doubt"):
            outgoing += await self._told(due, after, outcome, now)
        try:
            await self._commit(due, state.row, after, outgoing)
        except RowConflictError:
            logger.warning("a delivery changed while an attempt at the delivery ended")

    async def _commit(
        self, due: NoticeDeliveryDue, row: Row, after: NoticeDelivery, outgoing: list[Outgoing]
    ) -> None:
        changed = row_of_delivery(row.partition, after, row.etag)
        await self._outbox.commit(_TABLE, partition_of(due.tenant), [Replace(changed)], outgoing)

    async def _told(
        self, due: NoticeDeliveryDue, after: NoticeDelivery, outcome: DeliveryOutcome, now: datetime
    ) -> list[Outgoing]:
        """Make the messages that tell an operator, and the tenant's other contacts, of a failure.

        Each day tells of a contact once.
        """
        day = now.date().isoformat()
        incident = IncidentOpened(
            kind=f"notice.{after.state}",
            severity="warning",
            summary=f"A notice to a contact by {after.channel} is {after.state}: {outcome.result}.",
            resource=f"contacts/{after.contact}",
            tenant=due.tenant,
        )
        told: list[Outgoing] = [incident_message(incident, day, now)]
        record = await self._record(due)
        if due.tenant is None or (record is not None and record.kind == "undelivered"):
            return told
        notice = NoticeUndelivered(
            tenant=due.tenant,
            notice_id=after.notice,
            notice_kind="digest" if record is None else record.kind,
            contact_id=after.contact,
            channel=after.channel,
            result=outcome.result,
            failed_at=now,
        )
        identifier = f"undelivered-{after.contact}-{day}"
        told.append(encode(NOTICES_QUEUE.name, notice, identifier=identifier, now=_midnight(now)))
        return told

    async def _record(self, due: NoticeDeliveryDue) -> NoticeRecord | None:
        """Return the notice of a delivery, or None for a digest."""
        partition = partition_of(due.tenant)
        row = await self._tables.get(_TABLE, partition, notice_row(due.notice_id))
        return None if row is None else record_of(row)

    async def _parcel(self, due: NoticeDeliveryDue, contact: Contact) -> Parcel:
        record = await self._record(due)
        if record is None:
            letter, event = await self._digest(due, contact)
            kind = "digest"
        else:
            letter = await self.letter(record, contact.language, contact.time_zone)
            event, kind = record.event.encode(), record.kind
        unsubscribe = None
        if due.tenant is not None and kind not in MANDATORY:
            token = f"{due.tenant}~{contact.id}~{kind}~{contact.token}"
            unsubscribe = f"{self._base_url}/notice-refusals/{token}"
        return Parcel(
            id=f"{due.notice_id}:{contact.id}:{due.asked}",
            contact=contact,
            letter=letter,
            event=event,
            sent_at=self._clock(),
            secret=await self._secret(due.tenant, contact),
            unsubscribe=unsubscribe,
        )

    async def _secret(self, tenant: str | None, contact: Contact) -> str | None:
        try:
            return await self._contacts.secret_of(tenant, contact)
        except (DataKeyError, SealError):
            return None

    async def letter(self, record: NoticeRecord, language: str, time_zone: str) -> Letter:
        """Write the letter of a notice; without its text, and with an incident, where a value is
        lacking.
        """
        try:
            return letter_of(notice_of(record), record.id, language, time_zone)
        except (TemplateError, msgspec.ValidationError, KeyError) as error:
            await self._tell_unwritten(record, error)
            data = bytes(event_of(record).data)
            return plain_letter(record.kind, record.id, data, language)

    async def _tell_unwritten(self, record: NoticeRecord, error: Exception) -> None:
        lacking = str(error) if isinstance(error, TemplateError) else type(error).__name__
        incident = IncidentOpened(
            kind="notice.unwritten",
            severity="warning",
            summary=f"A notice went out without its text: {lacking}.",
            resource=f"notice-kinds/{record.kind}",
            tenant=record.tenant,
        )
        await self._incidents.open_once(incident, self._clock().date().isoformat())

    async def _digest(self, due: NoticeDeliveryDue, contact: Contact) -> tuple[Letter, bytes]:
        """Write the letter of a digest; a notice that lacks a value is counted, not shown."""
        partition = partition_of(due.tenant)
        gathered = [
            str(row.values["notice"])
            async for row in self._tables.scan(
                _TABLE, partition, prefix=gathered_row(due.notice_id, "")
            )
        ]
        shown: list[tuple[NoticeRecord, Notice]] = []
        for identifier in gathered[:MOST_IN_DIGEST]:
            row = await self._tables.get(_TABLE, partition, notice_row(identifier))
            if row is None:
                continue
            record = record_of(row)
            try:
                notice = notice_of(record)
                letter_of(notice, record.id, contact.language, contact.time_zone)
            except (TemplateError, msgspec.ValidationError, KeyError) as error:
                await self._tell_unwritten(record, error)
                continue
            shown.append((record, notice))
        letter = digest_letter(shown, len(gathered), contact.language, contact.time_zone)
        return letter, msgspec.json.encode({"type": "digest", "notices": gathered})


class _Claim:
    """The state of a delivery during an attempt, with the ETag of the latest commit."""

    def __init__(self, tables: Tables, row: Row, delivery: NoticeDelivery, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self.row = row
        self.delivery = delivery

    async def hand_over(self) -> None:
        """Commit that the receiver is about to have the message. Raises RowConflictError."""
        self.delivery = handing_over(self.delivery, self._clock())
        changed = row_of_delivery(self.row.partition, self.delivery, self.row.etag)
        [etag] = await self._tables.commit(_TABLE, [Replace(changed)])
        self.row = Row(self.row.partition, self.row.row, self.row.values, etag)


def _delayed(after: NoticeDelivery, outcome: DeliveryOutcome, now: datetime) -> OutgoingMessage:
    """Make the incident that notices of a channel wait, once a day."""
    incident = IncidentOpened(
        kind="notice.delayed",
        severity="warning",
        summary=f"Notices by {after.channel} wait for longer than an hour: {outcome.result}.",
        resource=f"notice-channels/{after.channel}",
    )
    return incident_message(incident, now.date().isoformat(), now)


def _midnight(now: datetime) -> datetime:
    """Return the beginning of the day: one notice a day has one time, and so one id."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
