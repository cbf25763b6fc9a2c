"""The places of a log's checkpoint, tiles and entry bundles: a URL or a folder."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

from infra.ops.errors import CommandError

# The largest number of requests in progress and answers not yet hashed.
CONCURRENCY: Final = 8
_ATTEMPTS: Final = 4
_TIMEOUT_SECONDS: Final = 30.0
# A bundle of 256 entries of 65,535 bytes each is a little smaller.
_LARGEST: Final = 17 << 20
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
# The log's keeper reports that the requested part of the log is damaged.
_DAMAGED: Final = b'"urn:vouchsafe:problem:log-damaged"'
_REFUSALS: Final = {
    401: "the token is missing, expired or not accepted (401)",
    403: "the token does not allow it to be read (403)",
}


class Source(Protocol):
    """Get the content at a path such as `tile/0/000`; safe to use from several threads."""

    @property
    def name(self) -> str:
        """The place as the user gave it."""

    def get(self, path: str) -> bytes | None:
        """Return the content; None for a missing path. Raise CommandError after a failed read."""


class Folder:
    """A log in the layout of C2SP tlog-tiles, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def get(self, path: str) -> bytes | None:
        """See Source."""
        try:
            with (self.folder / path).open("rb") as file:
                data = file.read(_LARGEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(data) > _LARGEST:
            raise CommandError(f"{self.folder / path} is larger than anything in a log.")
        return data


class Web:
    """A log behind a URL, such as `https://host/api/tenants/acme/log`."""

    def __init__(self, url: str, token: str | None) -> None:
        """Raise CommandError for a malformed URL, or for a URL that would expose the token."""
        # Imported late: verifying files needs no httpx.
        import httpx

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{url} is not an http or https address.")
        if token and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise CommandError("A token is sent over https only.")
        if token and not (token.isascii() and token.isprintable()):
            raise CommandError("The token is not one: it holds more than printable ASCII.")
        self.name = url.rstrip("/")
        self._errors = httpx.HTTPError
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=CONCURRENCY),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> bytes | None:
        """See Source. Failures that may pass are retried a few times."""
        url = f"{self.name}/{path}"
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0.5, 1) * 2 ** (attempt - 1))  # noqa: S311 - not a secret
            try:
                with self._client.stream("GET", url) as answer:
                    status = answer.status_code
                    body = self._body(url, answer.iter_bytes())
                    if status == 200:
                        return body
                    damaged = _DAMAGED in body
            except self._errors as error:
                trouble = f"it cannot be reached ({type(error).__name__})"
                continue
            if status == 404 or (damaged and path.startswith("tile/")):
                return None
            trouble = _REFUSALS.get(status, f"the server answered with status {status}")
            if status != 429 and status < 500:
                break
        raise CommandError(f"{url} was not read: {trouble}.")

    def _body(self, url: str, chunks: Iterable[bytes]) -> bytes:
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) > _LARGEST:
                raise CommandError(f"{url} is larger than anything in a log.")
        return bytes(body)


def ahead[T, R](get: Callable[[T], R], wanted: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Yield `get` of each item in `wanted`, in order, with a bounded number of parallel calls."""
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(CONCURRENCY))
        waiting: deque[tuple[T, Future[R]]] = deque()
        stack.callback(lambda: [future.cancel() for _, future in waiting])
        for one in wanted:
            waiting.append((one, pool.submit(get, one)))
            if len(waiting) >= 2 * CONCURRENCY:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
