"""A process that takes uploads in, each in a child that may be killed at any step of the work.

It reads jobs from its standard input, one JSON object a line, and answers each with a line that
says how many steps were taken, or null where the child was killed. A step is a request to Storage
that may change something, or a send to Service Bus, or a completion there; the child is killed with
SIGKILL right before the step whose number the job gives. What lies between two steps, reading
included, changes nothing outside the process: killing before each of them, and after the last, is
killing anywhere.
"""

import asyncio
import json
import os
import signal
import sys
import traceback

import aiohttp
import msgspec
from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSender

# What the work imports when it needs it: here once, and not in each child.
import shared.azure.blobs
import shared.azure.bus
import shared.azure.tables
import shared.intake.service  # noqa: F401 - see above
from shared.messages.contracts import BlobUploaded
from shared.settings import read_settings
from tests.compositions import App, OneDataKey, OneSecret

# Methods of HTTP that change nothing (RFC 9110 section 9.2.1).
_READING = ("GET", "HEAD")


class Steps:
    """Counts steps, and ends this process before one of them."""

    def __init__(self, last):
        self.taken = 0
        self._last = last

    def step(self):
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.taken += 1

    def watch(self, kind, name):
        """Count the calls of a method, for all objects of a class."""
        method = getattr(kind, name)

        def watched(this, *args, **kwargs):
            if args[0] not in _READING:
                self.step()
            return method(this, *args, **kwargs)

        setattr(kind, name, watched)


async def process(app, job):
    """What the blob trigger and the intake function do for one upload.

    The clients are left open, as closing a bus client takes longer than all else.
    """
    event = msgspec.convert(job["event"], BlobUploaded)
    await app.queues.enqueue(event.name)
    await app.intake.process_upload(event, job["deliveries"])


def child(work, app, job, answer):
    """Do the work, and say how many steps it took."""
    steps = Steps(job["steps"])
    steps.watch(aiohttp.ClientSession, "_request")
    steps.watch(ServiceBusSender, "send_messages")
    steps.watch(ServiceBusReceiver, "complete_message")
    asyncio.run(work(app, job))
    if job["steps"] == steps.taken:
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(answer, str(steps.taken).encode())


def run(work, app, job):
    """One job in a child. Returns its steps, or None when it was killed as the job says."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(work, app, job, writing)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever it is, this process ends
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    taken = os.read(reading, 100)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    assert status == 0, "the work failed; its traceback is above"
    return int(taken)


def main(work):
    """Answer the jobs of the standard input; `work(app, job)` does one."""
    app = App(read_settings(json.loads(sys.argv[1])))
    app.adapters.secrets = OneSecret()
    app.adapters.data_keys = OneDataKey()
    # Compiled once, and not in each child.
    asyncio.run(app.engines.present())
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(work, app, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(process)
