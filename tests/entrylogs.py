"""Access logs for tests of the outbox that are not about log entries."""

from collections.abc import Sequence

from shared.messages.outbox_rows import OutgoingEntry


class NoLog:
    """A log for an outbox that carries messages alone."""

    async def record_entries(self, entries: Sequence[OutgoingEntry]) -> Sequence[None]:
        raise AssertionError(f"{len(entries)} entries where none was expected")
