"""`verify-log`: compare an access log with the log's signed checkpoint; answer in one sentence."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from infra.ops.errors import CommandError
from infra.ops.logs.export_file import ExportFile, open_export
from infra.ops.logs.hashing import hash_export
from infra.ops.logs.locate import leaves_of_export, locate
from infra.ops.logs.outcome import Fault, Intact, LogOutcome, Progress, truncated_since
from infra.ops.logs.served import ServedLog, verify_served
from infra.ops.logs.sources import Folder, Source, Web
from infra.ops.logs.trust import Trust, read_text
from shared.merkle import Checkpoint

INTACT: Final = 0
NOT_INTACT: Final = 1
TOKEN: Final = "VOUCHSAFE_TOKEN"  # noqa: S105 - the name of a variable

_EPILOG: Final = f"""
exit status:
  0  the log is intact
  1  it is not; the sentence says from which entry on, and how
  2  it could not be verified; the line on standard error says why

examples:
  python -m infra.ops verify-log acme.ndjson --key log-key.txt
  python -m infra.ops verify-log acme.ndjson --key jwks.json --older acme-last-year.ndjson
  {TOKEN}=... python -m infra.ops verify-log https://host/api/tenants/acme/log --key jwks.json

Keep the key, and the exports or checkpoints that you verified: a log is held to the key that you
got on another way than the log, and to the older state that you pass with --older.
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify-log",
        help="verify an access log without trusting whoever keeps it",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "log",
        help="an export (a file), a log laid out in files as it is served (a folder), or a URL",
    )
    parser.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="KEY",
        help="the log's public key: name+id+base64, or a file with such, or a JWKS file; may be"
        " given more than once",
    )
    parser.add_argument(
        "--older",
        metavar="FILE",
        help="an older checkpoint or export of the same log, which it must continue",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="KEY",
        help="the key of a witness that must have cosigned the log's checkpoint; may be given more"
        " than once",
    )
    parser.add_argument("--origin", help="the name that the log must have in its checkpoint")
    parser.add_argument("--token", help=f"the bearer token for a URL; safer in {TOKEN}")
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Verify, print, and return the exit status. Raise CommandError or OSError for status 2."""
    trust = Trust.of(options.key, options.origin, options.witness)
    with _shown(quiet=options.quiet) as progress:
        if "://" in options.log:
            with Web(options.log, options.token or os.environ.get(TOKEN)) as web:
                outcome = _served(web, trust, options.older, progress)
        elif Path(options.log).is_dir():
            outcome = _served(Folder(Path(options.log)), trust, options.older, progress)
        else:
            outcome = _exported(Path(options.log), trust, options.older, progress)
    if options.json:
        print(json.dumps(_as_json(outcome)))
    else:
        print(outcome.sentence)
    return INTACT if isinstance(outcome, Intact) else NOT_INTACT


def _exported(path: Path, trust: Trust, older: str | None, progress: Progress) -> LogOutcome:
    export = open_export(path, trust)
    if isinstance(export, Fault):
        return export
    before, before_export = _older(older, trust, export.checkpoint, progress)
    if before and before.size > export.checkpoint.size:
        return truncated_since(export.checkpoint, before.size)
    growth = hash_export(export, before, progress)
    outcome = growth.outcome() if growth else None
    if not isinstance(outcome, Intact):
        outcome = locate(export, before, before_export, progress)
    return _said_of_keys(outcome, trust, export.signed)


def _served(source: Source, trust: Trust, older: str | None, progress: Progress) -> LogOutcome:
    signed = source.get("checkpoint")
    if signed is None:
        raise CommandError(f"There is no log at {source.name}: it has no checkpoint.")
    checkpoint = trust.open(signed, "the checkpoint")
    if isinstance(checkpoint, Fault):
        return checkpoint
    before, before_export = _older(older, trust, checkpoint, progress)
    if before and before.size > checkpoint.size:
        return truncated_since(checkpoint, before.size)
    kept = leaves_of_export(before_export) if before_export else iter(())
    log = ServedLog(source, checkpoint, trust.keys(checkpoint.origin))
    return _said_of_keys(verify_served(log, before, kept, progress), trust, signed)


def _said_of_keys(outcome: LogOutcome, trust: Trust, signed: bytes | str) -> LogOutcome:
    """Add to an intact log's outcome whether the signing keys are revoked."""
    if isinstance(outcome, Intact) and trust.is_revoked(signed, outcome.origin):
        return replace(outcome, revoked=True)
    return outcome


def _older(
    given: str | None, trust: Trust, checkpoint: Checkpoint, progress: Progress
) -> tuple[Checkpoint | None, ExportFile | None]:
    """Return the older checkpoint, and the export around the checkpoint, if any.

    Raises CommandError for a checkpoint or an export that is not intact or belongs to a log of a
    different origin.
    """
    if given is None:
        return None, None
    # Witnesses cosign the newest state only.
    path, export, trust = Path(given), None, replace(trust, witnesses=())
    with path.open("rb") as file:
        is_export = file.read(1) == b"{"
    if is_export:
        opened = open_export(path, trust)
        older = opened.checkpoint if isinstance(opened, ExportFile) else opened
        export = opened if isinstance(opened, ExportFile) else None
    else:
        older = trust.open(read_text(path, "a checkpoint"), "the older checkpoint")
    if isinstance(older, Fault):
        raise CommandError(f"{path} is no use for comparing: {older.what}.")
    if older.origin != checkpoint.origin:
        raise CommandError(f"{path} is of the log {older.origin!r}, not {checkpoint.origin!r}.")
    if export is not None:
        growth = hash_export(export, None, progress)
        if not growth or not isinstance(growth.outcome(), Intact):
            raise CommandError(f"{path} is no use for comparing: it is not intact itself.")
    return older, export


def _as_json(outcome: LogOutcome) -> dict[str, object]:
    said: dict[str, object] = {
        "intact": isinstance(outcome, Intact),
        "origin": outcome.origin,
        "sentence": outcome.sentence,
    }
    if isinstance(outcome, Intact):
        counts = {"size": outcome.size, "redacted": outcome.redacted}
        return said | counts | {"revoked": outcome.revoked}
    return said | {"kind": outcome.kind, "entry": outcome.entry, "last": outcome.last}


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Progress]:
    """Yield a progress bar on standard error, if standard error is a terminal."""
    with ExitStack() as stack:
        if quiet or not sys.stderr.isatty():
            yield lambda _what, _done, _of: None
            return
        # Imported late: the import takes longer than verifying a small log.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        console = Console(stderr=True)
        bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        task = bar.add_task("opening", total=None)

        def show(what: str, done: int, of: int) -> None:
            # Started late, after the workers: the bar has a thread, and a process with threads must
            # not fork.
            if not bar.live.is_started:
                stack.enter_context(bar)
            bar.update(task, description=what, completed=done, total=of)

        yield show
