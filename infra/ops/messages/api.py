"""The app's HTTP interface for failed messages."""

import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

from infra.ops.errors import CommandError

TOKEN: Final = "VOUCHSAFE_TOKEN"  # noqa: S105 - the name of a variable
APP: Final = "VOUCHSAFE_APP"
AT_ONCE: Final = 100
"""The messages of one request to act."""

_ATTEMPTS: Final = 5
# A replay receives messages under locks, for up to half a minute.
_TIMEOUT_SECONDS: Final = 90.0
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}

type ListedMessage = Mapping[str, Any]


class FailedMessageApi:
    """The endpoints below `/api/failed-messages` of an app, called with a bearer token."""

    def __init__(self, app: str | None, token: str | None) -> None:
        """Raise CommandError for a missing or malformed address or token."""
        # Imported late: verifying a log's files needs no httpx.
        import httpx

        app, token = app or os.environ.get(APP), token or os.environ.get(TOKEN)
        if not app or not token:
            raise CommandError(f"Set {APP} to the app's address and {TOKEN} to a bearer token.")
        parts = urlsplit(app)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{app} is not an http or https address.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise CommandError("A token is sent over https only.")
        if not (token.isascii() and token.isprintable()):
            raise CommandError("The token is not one: it holds more than printable ASCII.")
        self._root = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api')}"
        self._errors = httpx.HTTPError
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=_TIMEOUT_SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def listed(self, filters: Mapping[str, str]) -> Iterator[ListedMessage]:
        """Yield the failed messages that meet every filter, page by page."""
        query = {**filters, "limit": "1000"}
        while True:
            page = self._call("GET", "", params=query)
            yield from page["messages"]
            if page["continuation"] is None:
                return
            query["continuation"] = page["continuation"]

    def show(self, message: str) -> ListedMessage:
        """Return a message with masked values."""
        shown: ListedMessage = self._call("GET", f"/{quote(message, safe='')}")
        return shown

    def disclose(self, message: str, why: str) -> ListedMessage:
        """Return the whole body of a message; the app records the reason."""
        shown: ListedMessage = self._call(
            "POST", f"/{quote(message, safe='')}/disclosures", {"why": why}
        )
        return shown

    def act(self, act: str, messages: Sequence[str], why: str) -> Sequence[ListedMessage]:
        """Replay or discard up to `AT_ONCE` messages; `act` is `replays` or `discards`.

        Returns the outcome for each message.
        """
        body = {"messages": list(messages), "why": why}
        outcomes: Sequence[ListedMessage] = self._call("POST", f"/{act}", body)["outcomes"]
        return outcomes

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Call the app. A failure that may pass is tried again, as every act is harmless twice.

        Raises CommandError with the answer of the app.
        """
        url = f"{self._root}/api/failed-messages{path}"
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(random.uniform(0.5, 1) * 2 ** (attempt - 1))  # noqa: S311 - not a secret
            try:
                answer = self._client.request(method, url, json=body, params=params)
            except self._errors as error:
                trouble = f"the app cannot be reached ({type(error).__name__})"
                continue
            if answer.status_code == 200:
                return answer.json()
            trouble = _trouble(answer.status_code, answer.text)
            if answer.status_code != 429 and answer.status_code < 500:
                break
        raise CommandError(f"{url}: {trouble}")


def _trouble(status: int, text: str) -> str:
    import json

    try:
        problem = json.loads(text)
        return f"{problem['detail']} {problem['remedy']} ({status})"
    except (ValueError, KeyError, TypeError):
        return f"the app answered with status {status}."
