"""The audit of the rows of witnesses and cosignatures."""

from collections.abc import Mapping, Sequence

from shared.accesslog.integrity.findings import Finding
from shared.accesslog.proofs.cosignatures import (
    TABLE,
    WITNESSES,
    cosignature_of,
    size_of,
    witness_keys,
    witness_of,
)
from shared.ids import key
from shared.ports import Row, Tables


async def false_witnesses(tables: Tables, tenant: str) -> list[Finding]:
    """Find the rows of witnesses that differ from the app's rows."""
    return [
        Finding(0, 0, "witness-changed", row.row)
        async for row in tables.scan(TABLE, key(tenant), prefix=WITNESSES)
        if witness_of(row) is None
    ]


async def false_cosignatures(
    tables: Tables, tenant: str, rows: Sequence[Row], notes: Mapping[int, str]
) -> list[Finding]:
    """Find `rows` without a cosignature of one of `notes`, the checkpoints by size."""
    keys = await witness_keys(tables, tenant)
    found = []
    for row in rows:
        size = size_of(row)
        if size not in notes or cosignature_of(row, size, notes[size], keys) is None:
            found.append(Finding(size, size, "cosignature-changed", row.row))
    return found
