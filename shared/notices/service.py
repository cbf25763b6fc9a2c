"""Taking notices in, and showing a tenant its own."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from shared.accesslog import new_entry
from shared.catalogue import NOTICE_DELIVERIES_QUEUE, NOTICES_TABLE
from shared.compare_and_set import compare_and_set
from shared.errors import NotFoundError
from shared.ids import key, new_id
from shared.incidents import Incidents
from shared.messages import CloudEvent, Outbox, encode
from shared.messages.contracts import (
    AccessRecorded,
    Actor,
    IncidentOpened,
    Notice,
    NoticeDeliveryDue,
)
from shared.messages.outbox_rows import Outgoing
from shared.notices.contacts import Contacts, contact_not_found
from shared.notices.records import (
    delivery_of_row,
    delivery_row,
    digest_id,
    gathered_row,
    new_record,
    notice_row,
    partition_of,
    recent_row,
    record_of,
    row_of_delivery,
    row_of_record,
)
from shared.notices.rules import (
    MANDATORY,
    MOST_AT_ONCE,
    NoticeDelivery,
    NoticeRecord,
    Planned,
    asked_again,
    planned,
    slot_of,
)
from shared.ports import Clock, Insert, Operation, OutgoingMessage, Replace, Row, Tables

_TABLE = NOTICES_TABLE.name


class Notices:
    """The notices of every tenant, and of the stamp."""

    def __init__(
        self,
        tables: Tables,
        outbox: Outbox,
        contacts: Contacts,
        incidents: Incidents,
        clock: Clock,
    ) -> None:
        self._tables = tables
        self._outbox = outbox
        self._contacts = contacts
        self._incidents = incidents
        self._clock = clock

    async def take(self, event: CloudEvent) -> None:
        """Keep a notice, and plan a delivery to each contact that gets the notice.

        The same event again changes nothing. Notice, deliveries and the messages that are due are
        one transaction. Raises RowConflictError when concurrent notices keep changing a digest.
        """
        now = self._clock()
        notice = cast("Notice", event.data)
        record = new_record(event, notice, now)
        partition = partition_of(record.tenant)

        async def attempt() -> None:
            row = await self._tables.get(_TABLE, partition, notice_row(record.id))
            if row is not None:
                await self._outbox.flush(_TABLE, partition)
                return
            plans = await self._plans(record, notice, now)
            operations, outgoing = await self._fan_out(record, plans, now)
            await self._outbox.commit(_TABLE, partition, operations, outgoing)
            if not plans and (record.tenant is None or record.kind in MANDATORY):
                await self._tell_unread(record, now)

        await compare_and_set(attempt)

    async def find(self, tenant: str, notice: str) -> tuple[NoticeRecord, str]:
        """Return a tenant's notice and the ETag. Raises NotFoundError."""
        row = await self._tables.get(_TABLE, partition_of(tenant), notice_row(notice))
        if row is None or row.etag is None:
            raise NotFoundError(
                "notice-not-found", "There is no such notice.", "List the tenant's notices."
            )
        return record_of(row), row.etag

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[NoticeRecord], str | None]:
        """Return a page of a tenant's notices, by time, and the token of the next page."""
        page = await self._tables.page(
            _TABLE,
            partition_of(tenant),
            prefix=notice_row(""),
            size=size,
            continuation=continuation,
        )
        return [record_of(row) for row in page.rows], page.continuation

    async def deliveries(self, tenant: str, notice: str) -> Sequence[NoticeDelivery]:
        """Return the deliveries of a notice; a gathered delivery has the state of its digest."""
        partition = partition_of(tenant)
        rows = self._tables.scan(_TABLE, partition, prefix=key("delivery", notice, ""))
        found = [delivery_of_row(row) async for row in rows]
        return [await self._of_digest(partition, one) for one in found]

    async def acknowledge(
        self, tenant: str, notice: str, actor: Actor
    ) -> tuple[NoticeRecord, str, bool]:
        """Note who acknowledged a notice first; return the notice, the ETag, and True for a change.

        Raises NotFoundError.
        """

        async def attempt() -> tuple[NoticeRecord, str, bool]:
            record, etag = await self.find(tenant, notice)
            if record.acknowledged_by is not None:
                await self._outbox.flush(_TABLE, partition_of(tenant))
                return record, etag, False
            now = self._clock()
            after = replace(record, acknowledged_by=actor.id, acknowledged_at=now)
            entry = _entry(tenant, actor, "notice.acknowledged", f"notices/{notice}")
            await self._outbox.commit(
                _TABLE,
                partition_of(tenant),
                [Replace(row_of_record(after, etag))],
                [new_entry(entry, new_id(now), now)],
            )
            return *(await self.find(tenant, notice)), True

        return await compare_and_set(attempt)

    async def deliver_again(
        self, tenant: str, notice: str, contact: str, actor: Actor
    ) -> NoticeDelivery:
        """Deliver a notice to a contact once more.

        A contact that the notice did not go to gets the first delivery. Raises NotFoundError, and
        ConflictError while the last delivery is under way.
        """
        record, _ = await self.find(tenant, notice)
        found, _ = await self._contacts.read(tenant, contact)
        if found.disabled is not None:
            raise contact_not_found()
        now = self._clock()
        deliveries = [
            one for one in await self.deliveries(tenant, notice) if one.contact == contact
        ]
        if deliveries:
            delivery = asked_again(deliveries[-1], now)
        else:
            plan = Planned(found, "drill" if record.is_drill else "waiting")
            delivery = _first(record, plan, now)
        entry = _entry(tenant, actor, "notice.requested-again", f"notices/{notice}")
        outgoing: list[Outgoing] = [new_entry(entry, new_id(now), now)]
        if delivery.state == "waiting":
            outgoing.append(due_message(tenant, delivery, now))
        partition = partition_of(tenant)
        await self._outbox.commit(
            _TABLE, partition, [Insert(row_of_delivery(partition, delivery))], outgoing
        )
        return delivery

    async def _plans(
        self, record: NoticeRecord, notice: Notice, now: datetime
    ) -> Sequence[Planned]:
        contacts = await self._contacts.of(record.tenant)
        recent = await self._tables.page(
            _TABLE,
            partition_of(record.tenant),
            prefix=recent_row(slot_of(now), ""),
            size=MOST_AT_ONCE,
        )
        return planned(notice, contacts, len(recent.rows), now)

    async def _fan_out(
        self, record: NoticeRecord, plans: Sequence[Planned], now: datetime
    ) -> tuple[Sequence[Operation], Sequence[Outgoing]]:
        partition = partition_of(record.tenant)
        recent = Row(partition, recent_row(slot_of(now), record.id), {})
        operations: list[Operation] = [Insert(row_of_record(record)), Insert(recent)]
        outgoing: list[Outgoing] = []
        for plan in plans:
            delivery = _first(record, plan, now)
            operations.append(Insert(row_of_delivery(partition, delivery)))
            if plan.state == "waiting":
                outgoing.append(due_message(record.tenant, delivery, now))
            if delivery.digest is None or plan.due is None:
                continue
            place = gathered_row(delivery.digest, record.id)
            operations.append(Insert(Row(partition, place, {"notice": record.id})))
            first = delivery_row(delivery.digest, plan.contact.id, 0)
            if await self._tables.get(_TABLE, partition, first) is None:
                digest = NoticeDelivery(
                    notice=delivery.digest,
                    contact=plan.contact.id,
                    asked=0,
                    channel=plan.contact.channel,
                    state="waiting",
                    created_at=now,
                    due_at=plan.due,
                )
                operations.append(Insert(row_of_delivery(partition, digest)))
                outgoing.append(due_message(record.tenant, digest, now))
        return operations, outgoing

    async def _of_digest(self, partition: str, delivery: NoticeDelivery) -> NoticeDelivery:
        if delivery.digest is None:
            return delivery
        place = delivery_row(delivery.digest, delivery.contact, 0)
        row = await self._tables.get(_TABLE, partition, place)
        if row is None:
            return delivery
        digest = delivery_of_row(row)
        state = "gathered" if digest.state == "waiting" and not digest.attempts else digest.state
        return replace(
            delivery,
            state=state,
            attempts=digest.attempts,
            due_at=digest.due_at,
            ended_at=digest.ended_at,
        )

    async def _tell_unread(self, record: NoticeRecord, now: datetime) -> None:
        """Open an incident for a notice that must be read, and that nobody gets."""
        incident = IncidentOpened(
            kind="notice.without-contact",
            severity="critical" if record.tenant else "warning",
            summary=f"A notice of the kind {record.kind} has no contact that gets the notice.",
            resource=f"notices/{record.id}",
            tenant=record.tenant,
        )
        # A notice of an incident would open the next incident for ever.
        await self._incidents.open_once(incident, record.id if record.tenant else f"{now:%Y-%m-%d}")


def due_message(tenant: str | None, delivery: NoticeDelivery, now: datetime) -> OutgoingMessage:
    """Make the message of a delivery's next attempt, visible at the time of the attempt."""
    due = NoticeDeliveryDue(
        tenant=tenant,
        notice_id=delivery.notice,
        contact_id=delivery.contact,
        asked=delivery.asked,
        attempt=len(delivery.attempts),
    )
    identifier = f"{delivery.notice}:{delivery.contact}:{due.asked}:{due.attempt}"
    message = encode(NOTICE_DELIVERIES_QUEUE.name, due, identifier=identifier, now=now)
    if delivery.due_at is None or delivery.due_at <= now:
        return message
    return dataclasses.replace(message, not_before=delivery.due_at)


def _first(record: NoticeRecord, plan: Planned, now: datetime) -> NoticeDelivery:
    digest = plan.state == "gathered" and plan.due is not None
    return NoticeDelivery(
        notice=record.id,
        contact=plan.contact.id,
        asked=0,
        channel=plan.contact.channel,
        state=plan.state,
        created_at=now,
        due_at=plan.due if plan.due is not None else now,
        digest=digest_id(plan.contact.id, plan.due) if digest and plan.due else None,
    )


def _entry(tenant: str, actor: Actor, action: str, resource: str) -> AccessRecorded:
    return AccessRecorded(
        tenant=tenant, actor=actor, action=action, resource=resource, outcome="allowed"
    )
