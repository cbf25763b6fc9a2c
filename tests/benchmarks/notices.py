"""Notices by mail, against a bare loop over the same mail server at the same concurrency.

The mail server is a process of its own. The app takes each notice from its event, keeps notice and
delivery, writes the letter, and delivers; its tables are in memory and its queue is a list, so that
the measurement is of the app and the mail server and not of an emulator. The bare loop sends mails
of the same size, made beforehand, over as many connections as the app uses.

A second run is against a server that stores nothing and answers at once. The figure is then the
app's processor time beside that of a loop that does nothing but send.
"""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from subprocess import DEVNULL, Popen
from typing import Final, cast

import aiosmtplib

from infra.local.ports import LOOPBACK, Ports
from shared.catalogue import NOTICE_DELIVERIES_QUEUE, TENANTS_TABLE
from shared.incidents import Incidents
from shared.messages import CloudEvent, Outbox, decode
from shared.messages.contracts import NoticeDeliveryDue, UploadInfected
from shared.notices import Contacts, Deliverer, Notices
from shared.notices.channels.mail import MailChannel, MailServer
from shared.ports import Blobs, DataKeys, Insert, OutgoingMessage, Row, Secrets, Tables
from shared.rows import to_values
from shared.tenancy import Tenant, Tenants
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.memory_tables import MemoryTables
from tests.benchmarks.results import Result
from tests.entrylogs import NoLog

NOTICES: Final = BySize(200, 3000, 10_000)
CONNECTIONS: Final = 8
# `maxConcurrentCalls` of host.json; the channel has as many connections as the loop.
CALLS: Final = 16
# A server stores a mail before it takes the mail; Postfix on a disk needs some 20 ms.
STORING_SECONDS: Final = 0.02
# Fewer than a digest gathers.
OF_EACH_TENANT: Final = 10
REGION: Final = "westeurope"
GOALS: Final = {"notices-of-bare-loop": ">= 0.6"}


class _Queue:
    """A bus that keeps the deliveries that are due."""

    def __init__(self) -> None:
        self.due: deque[NoticeDeliveryDue] = deque()

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        for message in messages:
            if message.queue == NOTICE_DELIVERIES_QUEUE.name:
                self.due.append(cast("NoticeDeliveryDue", decode(message.body).data))


def run(step: Step, size: Size) -> Iterable[Result]:
    """Send by the app and by the bare loop, in turn."""
    for name, seconds in (("notices", STORING_SECONDS), ("notices-instant", 0.0)):
        port = Ports.free().smtp
        command = [sys.executable, "-m", "tests.benchmarks.mail_sink", str(port), str(seconds)]
        with Popen(command, stdout=DEVNULL) as server:
            try:
                yield from asyncio.run(_measure(name, port, NOTICES.at(size), step))
            finally:
                server.terminate()


async def _measure(name: str, port: int, count: int, step: Step) -> list[Result]:
    await _listening(port)
    step(f"{name}, app", 0, 2)
    by_app, mail = await _by_app(port, count)
    step(f"{name}, bare loop", 1, 2)
    by_loop = await _by_loop(port, count, mail)
    of_loop = f"{name}-of-bare-loop"
    return [
        Result(name, count / by_app, "notices/s"),
        Result(f"{name}-bare-loop", count / by_loop, "mails/s"),
        Result(of_loop, by_loop / by_app, "x bare", GOALS.get(of_loop)),
    ]


async def _listening(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError("the mail server does not listen")


async def _by_app(port: int, count: int) -> tuple[float, bytes]:
    """Return the seconds for `count` notices, and a mail of the app."""
    tables, queue = cast("Tables", MemoryTables()), _Queue()
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    outbox = Outbox(tables, queue, NoLog(), _now)
    tenants = Tenants(tables, cast("Blobs", None), outbox, _now, REGION)
    names = [f"t{number}" for number in range(count // OF_EACH_TENANT)]
    for name in names:
        tenant = Tenant(
            id=name,
            display_name="A tenant",
            residency_zone="eu",
            status="active",
            created=now,
            contacts=(f"privacy@{name}.example.com",),
        )
        await tables.commit(TENANTS_TABLE.name, [Insert(Row(REGION, name, to_values(tenant)))])
    contacts = Contacts(tables, outbox, tenants, cast("DataKeys", None), _now)
    incidents = Incidents(tables, outbox, _now)
    notices = Notices(tables, outbox, contacts, incidents, _now)
    server = MailServer(LOOPBACK, port, "notices@vouchsafe.example", needs_tls=False)
    mail = MailChannel(server, cast("Secrets", None))
    deliverer = Deliverer(
        tables, outbox, contacts, {"mail": mail}, incidents, _now, queue, "https://v.example/api"
    )
    events = deque(
        CloudEvent(
            f"e{number}",
            "/vouchsafe",
            "vouchsafe.upload.infected.v1",
            now,
            UploadInfected(
                tenant=names[number % len(names)], asset_id=f"01ASSET{number}", found_at=now
            ),
        )
        for number in range(count)
    )
    for name in names:
        await contacts.of(name)
    started = time.perf_counter()

    async def work() -> None:
        while events or queue.due:
            if queue.due:
                await deliverer.deliver(queue.due.popleft())
            elif events:
                await notices.take(events.popleft())

    await asyncio.gather(*(work() for _ in range(CALLS)))
    seconds = time.perf_counter() - started
    await mail.close()
    return seconds, b"Subject: A mail\r\n\r\n" + (b"x" * 70 + b"\r\n") * 35


def _now() -> datetime:
    return datetime.now(UTC)


async def _by_loop(port: int, count: int, mail: bytes) -> float:
    """Return the seconds for `count` ready mails."""
    numbers = iter(range(count))

    async def work() -> None:
        client = aiosmtplib.SMTP(hostname=LOOPBACK, port=port, start_tls=False)
        await client.connect()
        for number in numbers:
            await client.sendmail(
                "notices@vouchsafe.example", [f"privacy@t{number}.example.com"], mail
            )
        await client.quit()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return time.perf_counter() - started


BENCHMARK: Final = Benchmark(
    "notices",
    "notices by mail, against a bare loop over the same mail server",
    run,
    BySize(5, 40, 120),
    GOALS,
)
