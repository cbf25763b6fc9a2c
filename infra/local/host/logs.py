"""Log lines on standard error: when, how bad, which function and invocation, and what."""

import logging
import sys
import time
from collections.abc import MutableMapping

from azure_functions_runtime.utils.executor import invocation_id_cv

# .NET's level names, which host.json uses, as Python's numbers.
LEVELS = {
    "Trace": logging.DEBUG,
    "Debug": logging.DEBUG,
    "Information": logging.INFO,
    "Warning": logging.WARNING,
    "Error": logging.ERROR,
    "Critical": logging.CRITICAL,
    "None": logging.CRITICAL + 1,
}


class InvocationFormatter(logging.Formatter):
    """Puts the function's name and the invocation's id before what was logged within it.

    ``running`` maps the ids of the invocations in flight to their functions' names; the id itself
    travels in the runtime library's own context variable, in threads too.
    """

    converter = staticmethod(time.gmtime)

    def __init__(self, running: MutableMapping[str, str]) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(where)s%(name)s: %(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )
        self._running = running

    def format(self, record: logging.LogRecord) -> str:
        invocation = invocation_id_cv.get()
        function = self._running.get(invocation) if invocation else None
        record.where = f"[{function} {invocation}] " if function else ""
        return super().format(record)


def start(level: str, running: MutableMapping[str, str]) -> None:
    """Send everything that is logged to standard error, from host.json's default level up.

    The SDKs and the web server log every request at the information level; only their warnings
    are let through.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(InvocationFormatter(running))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(LEVELS.get(level, logging.INFO))
    for noisy in ("azure", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))
