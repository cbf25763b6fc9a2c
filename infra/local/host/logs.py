"""Log lines on standard error: time, level, function, invocation and message."""

import logging
import sys
import time
from collections.abc import MutableMapping

from azure_functions_runtime.utils.executor import invocation_id_cv

# .NET's level names, as in host.json, and Python's numbers.
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
    """Put the function's name and the invocation's id before a message logged in a function.

    ``running`` maps the ids of the invocations in flight to the functions' names. The id travels in
    the runtime library's own context variable, in threads too.
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
    """Send every message from host.json's default level up to standard error.

    The SDKs and the web server log every request at the information level. Only warnings of the
    SDKs and the web server pass.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(InvocationFormatter(running))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(LEVELS.get(level, logging.INFO))
    for noisy in ("azure", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))
