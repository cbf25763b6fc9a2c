"""The file that declares the required backups."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.errors import InvalidInputError
from shared.messages.contracts import Text

# A year, for archives rather than backups.
_MAX_HOURS = 8784


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A protected item of a recovery vault, and the required interval of the backups.

    `every_hours` is the longest time between two recovery points, `tolerance_hours` the lateness
    after which a job counts as missed.
    """

    item: Text
    vault: Text
    every_hours: Annotated[float, Meta(gt=0, le=_MAX_HOURS)]
    tolerance_hours: Annotated[float, Meta(ge=0, le=_MAX_HOURS)] = 0


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    items: Annotated[tuple[Expectation, ...], Meta(min_length=1)]


def read_file(path: Path) -> bytes:
    """Return the bytes of the file. Raises InvalidInputError for an unreadable file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _invalid(f"it cannot be read ({error.strerror})") from error


def read_expectations(data: bytes) -> tuple[Expectation, ...]:
    """Read the expectations in the JSON text `data`.

    Raises InvalidInputError that names the place of the fault.
    """
    try:
        items = msgspec.convert(json.loads(data), _File).items
    except UnicodeDecodeError as error:
        raise _invalid(f"it is not UTF-8, from byte {error.start} on") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _invalid(f"it is not JSON: {error.msg}, {place}") from error
    except RecursionError as error:
        raise _invalid("it is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    seen: set[tuple[str, str]] = set()
    for number, one in enumerate(items):
        if (one.vault, one.item) in seen:
            raise _invalid(f"the item is declared twice - at `$.items[{number}]`")
        seen.add((one.vault, one.item))
    return items


def _invalid(why: str) -> InvalidInputError:
    return InvalidInputError(
        "backup-expectations-invalid",
        f"The file of backup expectations cannot be used: {why}.",
        "Mend the file that BACKUP_EXPECTATIONS_FILE names, then run the audit again.",
    )
