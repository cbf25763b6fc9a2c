"""Listing, showing, replaying and discarding of failed messages.

Every act is recorded before the act, and a message leaves its place only after the copy is sent. So
an end at any line loses nothing: the act comes again, and a replay that comes twice has the same
message id and the same event id.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from shared.accesslog import new_entry
from shared.catalogue import PARKED_CONTAINER
from shared.errors import InvalidInputError, MalformedInputError, RefusalError
from shared.failed_messages.rules import (
    PLACES,
    FailedMessage,
    MessageFilter,
    failed_message,
    held_back,
    in_order,
    is_blob_name,
    meets,
    message_not_found,
    place_of,
    replayed,
)
from shared.identity.rules import Caller
from shared.ids import new_id
from shared.messages.contracts import AccessRecorded
from shared.ports import Blobs, Bus, BusMessage, Clock, QueuePlace, TakenMessages
from shared.stamp_record import StampRecord
from shared.tenancy import Tenants

if TYPE_CHECKING:
    # The endpoints name the package at every cold start, and the log is imported later.
    from shared.accesslog import AccessLog

MOST_AT_ONCE: Final = 100
"""The failed messages of one replay or one discarding."""

# What a page looks at: a filter that few messages meet gives short pages.
_BROWSED_AT_ONCE: Final = 250
_BROWSED_FOR_A_PAGE: Final = 2000

type OutcomeKind = Literal[
    "replayed", "discarded", "gone", "busy", "held-back", "refused", "not-removed"
]


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """The outcome for one message.

    `gone`: handled meanwhile. `busy`: somebody else holds the message, or too many stand before.
    `held-back`: an earlier message of the session is busy. `refused`: `code` and `detail` say why
    the message cannot be replayed. `not-removed`: done, and still in its place; the same act again
    does no harm.
    """

    id: str
    outcome: OutcomeKind
    code: str | None = None
    detail: str | None = None


class FailedMessages:
    """The failed messages of a stamp."""

    def __init__(
        self,
        bus: Bus,
        blobs: Blobs,
        log: "AccessLog",
        record: StampRecord,
        tenants: Tenants,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._log = log
        self._record = record
        self._tenants = tenants
        self._clock = clock

    async def page(
        self, wanted: MessageFilter, *, size: int, continuation: str | None
    ) -> tuple[Sequence[FailedMessage], str | None]:
        """Return failed messages that meet `wanted`, place by place, and the next page's token.

        A page may be short, or empty, and still have a next page. Raises MalformedInputError for a
        token of foreign origin, and UnavailableError.
        """
        at, first = _read_token(continuation)
        found: list[FailedMessage] = []
        looked = 0
        occupied = await self._occupied()
        while at < len(PLACES):
            if len(found) >= size or looked >= _BROWSED_FOR_A_PAGE:
                return found, f"{at}.{first}"
            browsed: Sequence[BusMessage] = ()
            if PLACES[at] in occupied:
                browsed = await self._bus.browse(PLACES[at], first, _BROWSED_AT_ONCE)
            if not browsed:
                at, first = at + 1, 1
                continue
            looked += len(browsed)
            for message in browsed:
                if len(found) >= size:
                    break
                first = message.number + 1
                failed = failed_message(PLACES[at], message)
                if meets(failed, wanted):
                    found.append(failed)
        return found, None

    async def _occupied(self) -> Collection[QueuePlace]:
        """Return the places with any message, of which most have none as a rule."""
        first = await asyncio.gather(*(self._bus.browse(place, 1, 1) for place in PLACES))
        return {place for place, messages in zip(PLACES, first, strict=True) if messages}

    async def find(self, identifier: str) -> FailedMessage:
        """Return the failed message with an id. Raises NotFoundError."""
        place, number = place_of(identifier)
        for message in await self._bus.browse(place, number, 1):
            failed = failed_message(place, message)
            if failed.id == identifier:
                return failed
        raise message_not_found()

    async def show(self, identifier: str, caller: Caller) -> FailedMessage:
        """Return a failed message, after the record that the caller sees the message, masked.

        Raises NotFoundError, and the errors of the log.
        """
        failed = await self.find(identifier)
        await self._recorded([failed], "message.viewed", None, caller)
        return failed

    async def disclose(
        self, identifier: str, why: str, caller: Caller
    ) -> tuple[FailedMessage, bytes | None]:
        """Return a failed message and its whole body, after the record of the disclosure.

        Raises NotFoundError, ConflictError where the whole body is gone, and the log's errors.
        """
        failed = await self.find(identifier)
        await self._recorded([failed], "message.disclosed", why, caller)
        if failed.blob is None:
            return failed, failed.message.body
        return failed, replayed(failed, await self._whole(failed)).body

    async def replay(
        self, identifiers: Sequence[str], why: str, caller: Caller
    ) -> Sequence[MessageOutcome]:
        """Send messages to their queues again, in the order of each session, and remove them.

        Returns an outcome for each id. Raises InvalidInputError for no id or too many,
        NotFoundError for the id of no place, and UnavailableError: the same call again is right
        then.
        """
        async with _Hold(self._bus, identifiers) as hold:
            waiting = held_back(hold.taken, await self._missing(hold))
            outcomes = {one: MessageOutcome(one, "held-back") for one in waiting}
            ready, copies = [], []
            for failed in hold.taken:
                if failed.id in waiting:
                    continue
                try:
                    copies.append(replayed(failed, await self._whole(failed)))
                    ready.append(failed)
                except RefusalError as reason:
                    outcomes[failed.id] = MessageOutcome(
                        failed.id, "refused", reason.code, reason.detail
                    )
            await self._recorded(ready, "message.replayed", why, caller)
            await self._bus.send(copies)
            removed = await hold.remove(ready)
            done = {one.id: _done(one, "replayed", removed) for one in ready}
            return hold.answered({**outcomes, **done})

    async def discard(
        self, identifiers: Sequence[str], why: str, caller: Caller
    ) -> Sequence[MessageOutcome]:
        """Remove messages for good, after the record with the reason.

        Returns an outcome for each id, and raises as `replay` does.
        """
        async with _Hold(self._bus, identifiers) as hold:
            await self._missing(hold)
            await self._recorded(hold.taken, "message.discarded", why, caller)
            removed = await hold.remove(hold.taken)
            return hold.answered({one.id: _done(one, "discarded", removed) for one in hold.taken})

    async def _missing(self, hold: "_Hold") -> Sequence[FailedMessage]:
        """Return the messages that stand in their places, and that the hold did not get."""
        missing = []
        for identifier in hold.not_taken:
            try:
                missing.append(await self.find(identifier))
            except RefusalError:
                continue
        hold.busy = frozenset(one.id for one in missing)
        return missing

    async def _whole(self, failed: FailedMessage) -> bytes | None:
        """Read the blob of a copy that was cut; None for a whole copy, or without the blob."""
        if failed.blob is None or not is_blob_name(failed.blob):
            return None
        info = await self._blobs.head(PARKED_CONTAINER.name, failed.blob)
        if info is None:
            return None
        async with self._blobs.read(info) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def _recorded(
        self, messages: Sequence[FailedMessage], action: str, why: str | None, caller: Caller
    ) -> None:
        """Record an act on each message: in the log of the tenant that the message names.

        The stamp's own record takes a message that names no tenant of the stamp, and a message of a
        tenant whose log takes no entries. Raises UnavailableError: do not act then.
        """
        now = self._clock()
        served = await self._served({one.tenant for one in messages if one.tenant is not None})
        with_tenant = [one for one in messages if one.tenant in served]
        entries = [
            new_entry(
                AccessRecorded(
                    tenant=one.tenant or "",
                    actor=caller.actor(),
                    action=action,
                    resource=f"failed-messages/{one.id}",
                    outcome="allowed",
                    purpose=why,
                ),
                new_id(now),
                now,
            )
            for one in with_tenant
        ]
        reasons = await self._log.record_entries(entries) if entries else []
        logged = {
            one.id for one, reason in zip(with_tenant, reasons, strict=True) if reason is None
        }
        await self._record.add(
            caller.actor(),
            action,
            [f"failed-messages/{one.id}" for one in messages if one.id not in logged],
            why,
        )

    async def _served(self, tenants: Collection[str]) -> set[str]:
        served = set()
        for tenant in tenants:
            try:
                served.add((await self._tenants.require(tenant)).id)
            except RefusalError:
                continue
        return served


class _Hold:
    """Failed messages under locks, from every place that their ids name."""

    def __init__(self, bus: Bus, identifiers: Sequence[str]) -> None:
        if not 0 < len(identifiers) <= MOST_AT_ONCE:
            raise InvalidInputError(
                "failed-messages-count",
                "The request names no message, or too many.",
                f"Name 1 to {MOST_AT_ONCE} failed messages.",
            )
        self._bus = bus
        self._identifiers = tuple(dict.fromkeys(identifiers))
        self._stack = AsyncExitStack()
        self._taken: dict[QueuePlace, TakenMessages] = {}
        self.taken: Sequence[FailedMessage] = ()
        self.not_taken: Sequence[str] = ()
        self.busy: Collection[str] = ()

    async def __aenter__(self) -> "_Hold":
        numbers: dict[QueuePlace, set[int]] = {}
        for identifier in self._identifiers:
            place, number = place_of(identifier)
            numbers.setdefault(place, set()).add(number)
        found = []
        async with AsyncExitStack() as stack:
            for place, wanted in numbers.items():
                taken = await stack.enter_async_context(self._bus.take(place, wanted))
                self._taken[place] = taken
                found += [failed_message(place, one) for one in taken.messages.values()]
            self._stack = stack.pop_all()
        self.taken = in_order([one for one in found if one.id in self._identifiers])
        held = {one.id for one in self.taken}
        self.not_taken = [one for one in self._identifiers if one not in held]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def remove(self, messages: Sequence[FailedMessage]) -> set[str]:
        """Remove messages from their places. Returns the ids of the removed messages."""
        removed = set()
        for place, taken in self._taken.items():
            own = {one.message.number: one.id for one in messages if one.place == place}
            removed |= {own[number] for number in await taken.complete(own)}
        return removed

    def answered(self, done: dict[str, MessageOutcome]) -> Sequence[MessageOutcome]:
        """Return an outcome for each id of the call."""
        return [
            done.get(one) or MessageOutcome(one, "busy" if one in self.busy else "gone")
            for one in self._identifiers
        ]


def _done(
    failed: FailedMessage, outcome: Literal["replayed", "discarded"], removed: Collection[str]
) -> MessageOutcome:
    return MessageOutcome(failed.id, outcome if failed.id in removed else "not-removed")


def _read_token(continuation: str | None) -> tuple[int, int]:
    if continuation is None:
        return 0, 1
    at, _, first = continuation.partition(".")
    try:
        if len(at) <= 2 and len(first) < 20 and 0 <= int(at) < len(PLACES) and int(first) > 0:
            return int(at), int(first)
    except ValueError:
        pass
    raise MalformedInputError(
        "continuation-token-invalid",
        "The continuation token is not of a list of failed messages.",
        "Send the `continuation` of the page before, or none.",
    )
