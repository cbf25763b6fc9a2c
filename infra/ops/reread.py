"""`reread`: make the records of stored assets anew, tenant by tenant, and show the progress."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from infra.ops.errors import CommandError

WHOLE: Final = 0
UNREADABLE: Final = 1
TOKEN: Final = "VOUCHSAFE_TOKEN"  # noqa: S105 - the name of a variable
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_TIMEOUT_SECONDS: Final = 30.0
_ATTEMPTS: Final = 4
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_UNFINISHED: Final = "urn:vouchsafe:problem:reread-unfinished"

_EPILOG: Final = f"""
exit status:
  0  every chosen file was read
  1  some files could not be read; the line of the tenant has their number
  2  the command could not do its work; the line on standard error says why

examples:
  {TOKEN}=... python -m infra.ops reread https://host/api --tenant acme --dry-run
  {TOKEN}=... python -m infra.ops reread https://host/api --tenant acme --older-key

The reading goes on without the command. The command, given again, shows the reread under way.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "reread",
        help="make the records of stored assets anew",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("app", help="the app, such as https://host/api")
    parser.add_argument(
        "--tenant",
        action="append",
        required=True,
        metavar="TENANT",
        help="the tenant; may be given more than once",
    )
    parser.add_argument("--filed-from", metavar="TIME", help="only assets filed then or later")
    parser.add_argument("--filed-before", metavar="TIME", help="only assets filed earlier")
    parser.add_argument(
        "--reader-before",
        type=int,
        metavar="N",
        help="records that a reader before the reader N made, and assets without a record",
    )
    parser.add_argument(
        "--older-key",
        action="store_true",
        help="records under an older version of the data key; with --reader-before, either",
    )
    parser.add_argument("--dry-run", action="store_true", help="count the assets, read nothing")
    parser.add_argument("--token", help=f"the bearer token; safer in {TOKEN}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Reread, print a line for each tenant, and return the exit status. Raise CommandError."""
    given = {
        "filedFrom": options.filed_from,
        "filedBefore": options.filed_before,
        "readerBefore": options.reader_before,
        "olderKey": options.older_key or None,
        "dryRun": options.dry_run or None,
    }
    body = {name: value for name, value in given.items() if value is not None}
    with _App(options.app, options.token or os.environ.get(TOKEN)) as app:
        ends = [_of_tenant(app, tenant, body) for tenant in options.tenant]
    return UNREADABLE if any(end["unreadable"] for end in ends) else WHOLE


def _of_tenant(app: "_App", tenant: str, body: Mapping[str, object]) -> Mapping[str, Any]:
    wait = _FIRST_WAIT
    reread = app.request(tenant, body)
    while reread["status"] != "completed":
        if wait > _FIRST_WAIT:
            print(f"{tenant}: {progress(reread)}", file=sys.stderr)
        time.sleep(wait)
        # The tenant's log has an entry for each look.
        wait = min(2 * wait, _LONGEST_WAIT)
        reread = app.get(f"tenants/{quote(tenant, safe='')}/rereads/{reread['id']}")
    print(f"{tenant}: {progress(reread)}", flush=True)
    return reread


def progress(reread: Mapping[str, Any]) -> str:
    """Return the progress of a reread in words, such as "12,000 of 100,000 read, 31 unreadable"."""
    done = reread["read"] + reread["resealed"]
    words = [f"{done:,} of {reread['counted']:,} read"]
    if reread["status"] == "counting":
        words = [f"{reread['counted']:,} counted"]
    elif reread["dryRun"]:
        words = [f"{reread['counted']:,} to read"]
    if reread["unreadable"]:
        words.append(f"{reread['unreadable']:,} unreadable")
    if reread["status"] != "completed" and reread["secondsLeft"] is not None:
        words.append(f"about {_duration(reread['secondsLeft'])} left")
    return ", ".join(words)


def _duration(seconds: int) -> str:
    for unit, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * size or size == 1:
            count = round(seconds / size)
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    raise AssertionError(seconds)


class _App:
    """The app behind a URL."""

    def __init__(self, url: str, token: str | None) -> None:
        """Raise CommandError for a malformed URL, or for a URL that would expose the token."""
        # Imported late: the other commands need no httpx.
        import httpx

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{url} is not an http or https address.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise CommandError("A token is sent over https only.")
        if not token or not (token.isascii() and token.isprintable()):
            raise CommandError(f"Set {TOKEN} to a bearer token.")
        self._url = url.rstrip("/")
        self._errors = httpx.HTTPError
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=_TIMEOUT_SECONDS
        )

    def __enter__(self) -> "_App":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def request(self, tenant: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """Ask for a reread, and return the reread; or the reread that is under way."""
        path = f"tenants/{quote(tenant, safe='')}/rereads"
        status, answer = self._call("POST", path, body)
        if status == 409 and answer.get("type") == _UNFINISHED:
            for page in self._pages(path):
                for reread in page["rereads"]:
                    if reread["status"] != "completed":
                        print(f"{tenant}: an earlier reread is under way", file=sys.stderr)
                        return dict(reread)
            # It has ended in the meantime.
            return self.request(tenant, body)
        return self._answer(path, status, answer)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the answer at a path. Raise CommandError for a refusal."""
        return self._answer(path, *self._call("GET", path, None, query))

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        query: dict[str, str] = {}
        while True:
            page = self.get(path, **query)
            yield page
            if page["continuation"] is None:
                return
            query = {"continuation": page["continuation"]}

    def _answer(self, path: str, status: int, answer: dict[str, Any]) -> dict[str, Any]:
        if status >= 400:
            said = (answer.get(name) for name in ("detail", "remedy"))
            why = " ".join(str(one) for one in said if one) or f"The status is {status}."
            raise CommandError(f"{self._url}/{path} refused: {why}")
        return answer

    def _call(
        self, method: str, path: str, body: object, query: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Call the app; a failure that may pass is tried again. A repeated request asks once."""
        headers = {"Idempotency-Key": os.urandom(16).hex()} if method == "POST" else {}
        trouble = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(2.0**attempt)
            try:
                answer = self._client.request(
                    method, f"{self._url}/{path}", json=body, params=query, headers=headers
                )
                if answer.status_code != 429 and answer.status_code < 500:
                    found: dict[str, Any] = answer.json()
                    return answer.status_code, found
                trouble = f"the status is {answer.status_code}"
            except self._errors as error:
                trouble = type(error).__name__
            except ValueError:
                trouble = "the answer is no JSON"
        raise CommandError(f"{self._url}/{path} does not answer: {trouble}.")
