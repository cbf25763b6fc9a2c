"""The witnesses of logs and their cosignatures, in the form of the table's rows."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from shared.catalogue import LOG_WITNESSES_TABLE
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
from shared.messages.contracts import Actor
from shared.ports import Row, Tables
from shared.rows import Stored, readable

TABLE: Final = LOG_WITNESSES_TABLE.name
_PREFIX: Final = "cosignature|"
_END: Final = "cosignature}"
WITNESSES: Final = key("witness", "")


class Witness(Stored, frozen=True):
    """A witness with accepted cosignatures. `id` is the key's id in hexadecimal."""

    id: str
    name: str
    vkey: str
    added_by: Actor
    added_at: datetime


def cosignature_row(size: int, witness: str) -> str:
    """Return the RowKey of the cosignature of the checkpoint of `size` by a witness's key."""
    return key("cosignature", f"{size:016x}", witness)


def witness_of(row: Row) -> Witness | None:
    """Return the witness in a row; None for a row that differs from the app's row."""
    witness = readable(Witness, row.values)
    if witness is None or row.row != WITNESSES + witness.id:
        return None
    with suppress(NoteError):
        verifier = VerifierKey.parse(witness.vkey)
        if (verifier.algorithm, verifier.key_id.hex()) == (COSIGNATURE, witness.id):
            return witness
    return None


async def witnesses_of(tables: Tables, tenant: str) -> Sequence[Witness]:
    """Return the witnesses of a tenant's log."""
    rows = tables.scan(TABLE, key(tenant), prefix=WITNESSES)
    return [one async for row in rows if (one := witness_of(row)) is not None]


async def cosigned(tables: Tables, tenant: str, size: int, note: str) -> str:
    """Return the signed `note` of the checkpoint of `size` with the stored cosignatures.

    A row without a valid cosignature is left out, and the checkpoint stays available.
    """
    prefix = cosignature_row(size, "")
    rows = [row async for row in tables.scan(TABLE, key(tenant), prefix=prefix)]
    if not rows:
        return note
    keys = await witness_keys(tables, tenant)
    made = [one for row in rows if (one := cosignature_of(row, size, note, keys)) is not None]
    return str(Note.parse(note).with_signatures(made))


async def cosignature_rows(tables: Tables, tenant: str, smallest: int) -> list[Row]:
    """Return the rows of every cosignature of checkpoints from the size `smallest` on."""
    first = cosignature_row(smallest, "")
    return [row async for row in tables.between(TABLE, key(tenant), first, _END)]


async def witness_keys(tables: Tables, tenant: str) -> Sequence[VerifierKey]:
    return [VerifierKey.parse(one.vkey) for one in await witnesses_of(tables, tenant)]


def cosignature_of(row: Row, size: int, note: str, keys: Sequence[VerifierKey]) -> Signature | None:
    """Return the cosignature in a row; None for any row without a cosignature of the checkpoint.

    The signature can be verified only while the witness is one of the log's witnesses.
    """
    line = row.values.get("line")
    with suppress(NoteError):
        made = parse_signatures(line) if isinstance(line, str) else []
        if len(made) == 1 and row.row == cosignature_row(size, made[0].key_id.hex()):
            cosignatures(note, str(line), keys)
            return made[0]
    return None


def size_of(row: Row) -> int:
    """Return the size in the key of a cosignature's row; 0 for a key without a size."""
    with suppress(ValueError):
        return int(row.row.removeprefix(_PREFIX).split("|")[0], 16)
    return 0
