"""The rows of witnesses and of what they cosigned, as far as they are what the app wrote there."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from shared.accesslog.integrity.findings import Finding
from shared.accesslog.reading.views import Witness
from shared.ids import key
from shared.merkle import (
    COSIGNATURE,
    Note,
    NoteError,
    Signature,
    VerifierKey,
    cosignatures,
    parse_signatures,
)
from shared.ports import Row, Tables
from shared.rows import readable

TABLE: Final = "checkpoints"
_PREFIX: Final = "cosignature|"
_END: Final = "cosignature}"
_WITNESSES: Final = key("witness", "")


def cosignature_row(size: int, witness: str) -> str:
    """The RowKey of the cosignature of the checkpoint of `size` by a witness's key."""
    return key("cosignature", f"{size:016x}", witness)


def witness_of(row: Row) -> Witness | None:
    """The witness that a row keeps; None when the row is not what was written there."""
    witness = readable(Witness, row.values)
    if witness is None or row.row != _WITNESSES + witness.id:
        return None
    with suppress(NoteError):
        verifier = VerifierKey.parse(witness.vkey)
        if (verifier.algorithm, verifier.key_id.hex()) == (COSIGNATURE, witness.id):
            return witness
    return None


async def witnesses_of(tables: Tables, tenant: str) -> Sequence[Witness]:
    """The witnesses of a tenant's log."""
    rows = tables.scan(TABLE, key(tenant), prefix=_WITNESSES)
    return [one async for row in rows if (one := witness_of(row)) is not None]


async def cosigned(tables: Tables, tenant: str, size: int, note: str) -> str:
    """The signed `note` of the checkpoint of `size` with the cosignatures that were kept of it.

    A row that is none is left out, so that it does not keep the checkpoint from anybody.
    """
    prefix = cosignature_row(size, "")
    rows = [row async for row in tables.scan(TABLE, key(tenant), prefix=prefix)]
    if not rows:
        return note
    keys = await _keys(tables, tenant)
    made = [one for row in rows if (one := _signature(row, size, note, keys)) is not None]
    return str(Note.parse(note).with_signatures(made))


async def false_witnesses(tables: Tables, tenant: str) -> list[Finding]:
    """The rows of witnesses that are not what was written there."""
    return [
        Finding(0, 0, "witness-changed", row.row)
        async for row in tables.scan(TABLE, key(tenant), prefix=_WITNESSES)
        if witness_of(row) is None
    ]


async def cosignature_rows(tables: Tables, tenant: str, smallest: int) -> list[Row]:
    """The rows of all cosignatures of checkpoints from the size `smallest` on."""
    first = cosignature_row(smallest, "")
    return [row async for row in tables.between(TABLE, key(tenant), first, _END)]


async def false_cosignatures(
    tables: Tables, tenant: str, rows: Sequence[Row], notes: Mapping[int, str]
) -> list[Finding]:
    """Those of `rows` that are no cosignature of one of the checkpoints `notes`, by their size."""
    keys = await _keys(tables, tenant)
    found = []
    for row in rows:
        size = _size_of(row)
        if size not in notes or _signature(row, size, notes[size], keys) is None:
            found.append(Finding(size, size, "cosignature-changed", row.row))
    return found


async def _keys(tables: Tables, tenant: str) -> Sequence[VerifierKey]:
    return [VerifierKey.parse(one.vkey) for one in await witnesses_of(tables, tenant)]


def _signature(row: Row, size: int, note: str, keys: Sequence[VerifierKey]) -> Signature | None:
    """The cosignature that a row keeps; None for what is none of this checkpoint.

    Whether it verifies can be said as long as its witness is one of the log's.
    """
    line = row.values.get("line")
    with suppress(NoteError):
        made = parse_signatures(line) if isinstance(line, str) else []
        if len(made) == 1 and row.row == cosignature_row(size, made[0].key_id.hex()):
            cosignatures(note, str(line), keys)
            return made[0]
    return None


def _size_of(row: Row) -> int:
    """The size in the key of a cosignature's row; 0 where none stands there."""
    with suppress(ValueError):
        return int(row.row.removeprefix(_PREFIX).split("|")[0], 16)
    return 0
