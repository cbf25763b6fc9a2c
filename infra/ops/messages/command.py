"""`messages`: list, show, replay and discard parked and dead-lettered messages of a stamp.

The command speaks HTTP to the app, with the operator's own token: the app checks the role, records
each act in the access log of the tenant or in the stamp's own record, and never lets a message go
before its copy is sent. An interrupted command is started again with the same arguments.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.ops.errors import CommandError
from infra.ops.messages.api import APP, AT_ONCE, TOKEN, FailedMessageApi, ListedMessage

DONE: Final = 0
LEFT: Final = 1

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
# Outcomes after which nothing of the message is left to do.
_SETTLED: Final = ("replayed", "discarded", "gone")
_WAITING: Final = ("busy", "held-back")
_EPILOG: Final = f"""
environment:
  {APP}    the app's address, such as https://HOST
  {TOKEN}  a bearer token with the role vendor.it_supervisor

exit status:
  0  every message was handled
  1  some messages stay; the table says why
  2  the command could not do its work; the line on standard error says why

examples:
  python -m infra.ops messages list --older-than 1h
  python -m infra.ops messages show consent-grants.dead:17:0a1b2c3d4e5f
  python -m infra.ops messages replay --queue consent-grants --why "INC-7 is mended" --dry-run
  python -m infra.ops messages discard --reason message-invalid --why "test messages of the portal"
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "messages",
        help="list, show, replay and discard parked and dead-lettered messages",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = parser.add_subparsers(title="acts", metavar="ACT", required=True)
    listing = acts.add_parser("list", help="list messages, without any content")
    _add_filters(listing)
    listing.set_defaults(run=run_list)
    showing = acts.add_parser("show", help="show a message, with personal data masked")
    showing.add_argument("message", help="the id of the list")
    showing.add_argument(
        "--reveal", action="store_true", help="show the whole body; the app records that you asked"
    )
    showing.add_argument("--why", help="the reason for --reveal, for the record")
    showing.set_defaults(run=run_show)
    for name, act, text in (
        ("replay", "replays", "send messages to their queues again, after the cause is gone"),
        ("discard", "discards", "remove messages for good"),
    ):
        acting = acts.add_parser(name, help=text)
        acting.add_argument("message", nargs="*", help="the ids of the list; or give filters")
        _add_filters(acting)
        acting.add_argument("--all", action="store_true", help="take every failed message")
        acting.add_argument("--why", required=True, help="the reason, for the record")
        acting.add_argument("--dry-run", action="store_true", help="only list what would be done")
        acting.add_argument("--quiet", action="store_true", help="show no progress")
        acting.set_defaults(run=run_act, act=act)
    for one in acts.choices.values():
        one.add_argument("--json", action="store_true", help="answer in JSON")
        one.add_argument("--app", help=f"the app's address; otherwise {APP}")
        one.set_defaults(token=None)


def run_list(options: argparse.Namespace) -> int:
    """List, print, and return the exit status."""
    with FailedMessageApi(options.app, options.token) as api:
        found = list(api.listed(_filters(options)))
    _print(options, found)
    return DONE


def run_show(options: argparse.Namespace) -> int:
    """Show one message, and return the exit status. Raise CommandError."""
    if options.reveal and not options.why:
        raise CommandError("--reveal needs --why: the app records the reason.")
    with FailedMessageApi(options.app, options.token) as api:
        if options.reveal:
            shown = api.disclose(options.message, options.why)
        else:
            shown = api.show(options.message)
    if options.reveal and not options.json and shown["text"] is not None:
        print(shown["text"])
    else:
        print(json.dumps(shown, indent=None if options.json else 2, ensure_ascii=options.json))
    return DONE


def run_act(options: argparse.Namespace) -> int:
    """Replay or discard, print the outcomes, and return the exit status. Raise CommandError."""
    filters = _filters(options)
    if bool(options.message) + bool(filters) + options.all != 1:
        raise CommandError("Give ids of messages, or filters, or --all: one of the three.")
    with FailedMessageApi(options.app, options.token) as api, _progress(options) as shown:
        if options.message:
            chosen: list[ListedMessage] = [{"id": one} for one in options.message]
        else:
            chosen = sorted(api.listed(filters), key=lambda one: (one["queue"], one["number"]))
        if options.dry_run:
            _print(options, chosen)
            return DONE
        outcomes = list(_act(api, options, chosen, shown))
    counts = Counter(str(one["outcome"]) for one in outcomes)
    if options.json:
        print(json.dumps({"counts": counts, "outcomes": outcomes}))
    else:
        for one in outcomes:
            if one["outcome"] not in _SETTLED:
                print(one["id"], one["outcome"], one["code"] or "", one["detail"] or "")
        print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "0 found")
    return DONE if set(counts) <= set(_SETTLED) else LEFT


def _act(
    api: FailedMessageApi,
    options: argparse.Namespace,
    chosen: Sequence[ListedMessage],
    shown: "_Progress",
) -> Iterator[ListedMessage]:
    """Act on messages in order, some at once. Yield the outcome of each."""
    by_id = {one["id"]: one for one in chosen}
    stopped: set[tuple[object, object]] = set()
    done = 0
    for start in range(0, len(chosen), AT_ONCE):
        part = [str(one["id"]) for one in chosen[start : start + AT_ONCE]]
        # A message after a busy message of its session waits, too; a session is of one tenant.
        later = [one for one in part if options.act == "replays" and _lane(by_id[one]) in stopped]
        yield from (
            {"id": one, "outcome": "held-back", "code": None, "detail": None} for one in later
        )
        ready = [one for one in part if one not in later]
        for outcome in api.act(options.act, ready, options.why) if ready else ():
            if outcome["outcome"] in _WAITING:
                stopped.add(_lane(by_id[outcome["id"]]))
            yield outcome
        done += len(part)
        shown(done, len(chosen))


def _lane(message: ListedMessage) -> tuple[object, object]:
    return message.get("queue"), message.get("tenant")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queue", help="the queue that the message was meant for")
    parser.add_argument("--reason", help="the code of the reason, such as message-invalid")
    parser.add_argument("--type", help="the type of the event")
    parser.add_argument("--tenant", help="the tenant that the event names")
    parser.add_argument("--older-than", metavar="AGE", help="failed longer ago: 30m, 2h or 7d")
    parser.add_argument("--newer-than", metavar="AGE", help="failed since: 30m, 2h or 7d")


def _filters(options: argparse.Namespace) -> Mapping[str, str]:
    given = {name: getattr(options, name) for name in ("queue", "reason", "type", "tenant")}
    for name, age in (("before", options.older_than), ("after", options.newer_than)):
        given[name] = None if age is None else _ago(age)
    return {name: value for name, value in given.items() if value is not None}


def _ago(age: str) -> str:
    found = re.fullmatch("([0-9]{1,5})([mhd])", age)
    if found is None:
        raise CommandError(f"{age} is no age: write 30m, 2h or 7d.")
    at = datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print(options: argparse.Namespace, messages: Sequence[ListedMessage]) -> None:
    if options.json:
        print(json.dumps(messages))
        return
    for one in messages:
        columns = ("id", "queue", "reason", "type", "tenant", "failedAt")
        print("  ".join(str(one.get(column) or "-") for column in columns if column in one))


class _Progress:
    """A line on standard error with how far the work is."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._is_open = False

    def __call__(self, done: int, of: int) -> None:
        if not self._quiet:
            print(f"\r{done} of {of}", end="", file=sys.stderr, flush=True)
            self._is_open = True

    def close(self) -> None:
        """End the line."""
        if self._is_open:
            print(file=sys.stderr)


@contextmanager
def _progress(options: argparse.Namespace) -> Iterator[_Progress]:
    shown = _Progress(quiet=options.quiet)
    try:
        yield shown
    finally:
        shown.close()
