"""Probes that tell whether a service on this machine answers."""

import http.client
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from infra.local.ports import LOOPBACK

TIMEOUT_SECONDS = 2.0


def listening(*ports: int) -> Callable[[], bool]:
    """Return a probe for services that accept connections on every port of `ports`."""

    def probe() -> bool:
        try:
            for port in ports:
                socket.create_connection((LOOPBACK, port), TIMEOUT_SECONDS).close()
        except OSError:
            return False
        return True

    return probe


def answering(
    port: int, path: str, *, having: bytes = b"", authority: Path | None = None
) -> Callable[[], bool]:
    """Return a probe for an HTTP service that answers 200 at `path`, with `having` in the body.

    With `authority`, a CA's certificate file, the probe uses TLS and checks the certificate. The
    request goes straight to the port, past any proxy that the environment names.
    """

    def probe() -> bool:
        if authority is None:
            connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT_SECONDS)
        else:
            context = ssl.create_default_context(cafile=authority)
            connection = http.client.HTTPSConnection(
                LOOPBACK, port, timeout=TIMEOUT_SECONDS, context=context
            )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status == http.HTTPStatus.OK and having in answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe
