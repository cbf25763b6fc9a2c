"""A process that commits through the outbox, and is killed at one place of it.

python outbox_child.py <place> <partition>, with STORAGE and SERVICE_BUS in the environment
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from shared.azure.bus import AzureBus
from shared.azure.tables import AzureTables
from shared.catalogue import INCIDENTS_TABLE, PARKED_MESSAGES_QUEUE
from shared.messages import Outbox
from shared.ports import Insert, OutgoingMessage, Row
from tests.entrylogs import NoLog

TABLE = INCIDENTS_TABLE.name
MESSAGES = 3
# Where the process dies: the commit stands, and none, some or all of its messages were sent. In no
# case were the rows removed.
PLACES = {"before": 0, "amid": 1, "after": MESSAGES}


class KillingBus:
    """A bus that sends the first few messages, and then kills its process as a crash would."""

    def __init__(self, bus: AzureBus, first: int) -> None:
        self._bus = bus
        self._first = first

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        await self._bus.send(messages[: self._first])
        os.kill(os.getpid(), signal.SIGKILL)

    async def ping(self) -> None:
        await self._bus.ping()


def messages(partition: str) -> list[OutgoingMessage]:
    """What the commit to this partition announces."""
    return [
        OutgoingMessage(
            PARKED_MESSAGES_QUEUE.name, f"{partition}-{number}", f'{{"number":{number}}}'.encode()
        )
        for number in range(MESSAGES)
    ]


async def main(place: str, partition: str) -> None:
    """Commit one row and its messages."""
    bus = AzureBus(os.environ["SERVICE_BUS"], ping_queue=PARKED_MESSAGES_QUEUE.name)
    tables = AzureTables(os.environ["STORAGE"])
    outbox = Outbox(tables, KillingBus(bus, PLACES[place]), NoLog(), lambda: datetime.now(UTC))
    state = Row(partition, "state", {"step": 1})
    await outbox.commit(TABLE, partition, [Insert(state)], messages(partition))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
