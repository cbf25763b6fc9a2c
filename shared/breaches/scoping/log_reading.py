"""The range of a tenant's access log that a scope is read from, with the proof of the range.

The range begins at the first entry that was received late enough to belong to the window, and ends
with the log: a service may report an access later.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.accesslog import LogDamagedError, LogStore
from shared.accesslog.entries import CLOCK_TOLERANCE
from shared.accesslog.payloads import readable
from shared.accesslog.proofs.checkpoints import Checkpoints
from shared.accesslog.proofs.tree_proofs import Proofs
from shared.breaches.scoping.rules import (
    LOG_DAMAGED,
    LOG_UNREADABLE,
    LOG_UNSIGNED,
    LogRange,
    ScopeCriteria,
    TenantFinding,
    take_entry,
    with_unknown,
)
from shared.errors import NotFoundError
from shared.merkle import MerkleError, is_redaction, leaf_of

_AT_ONCE: Final = 2000
# The largest difference between the clocks of two instances of the app.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Read:
    """The finding after a part of the range, and the assets that the part names."""

    finding: TenantFinding
    assets: Sequence[str]


class LogRanges:
    """Reads ranges of the access logs, each with its proof."""

    def __init__(self, store: LogStore, checkpoints: Checkpoints, proofs: Proofs) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._proofs = proofs

    async def begin(self, finding: TenantFinding, criteria: ScopeCriteria) -> TenantFinding:
        """Fix the range of a finding: publish a checkpoint, and find the first entry.

        A log that cannot be signed is read up to its head, and the finding says so.
        """
        tenant, note, end = finding.tenant, None, 0
        try:
            published = await self._checkpoints.publish(tenant)
            note, end = published.note, published.size
        except LogDamagedError:
            finding = with_unknown(with_unknown(finding, LOG_UNSIGNED), LOG_DAMAGED)
            try:
                end = (await self._store.head(tenant)).size
            except LogDamagedError:
                finding = with_unknown(finding, LOG_UNREADABLE)
        try:
            first = await self._first(tenant, criteria.since, end)
            root = _text((await self._store.edge_at(tenant, first)).root())
        except (LogDamagedError, NotFoundError):
            finding, first, root = with_unknown(finding, LOG_DAMAGED), 0, ""
        origin = self._checkpoints.origin(tenant)
        log = LogRange(origin=origin, first=first, end=end, first_root=root, checkpoint=note)
        return msgspec.structs.replace(finding, log=log, next_index=first, root=root)

    async def read(self, finding: TenantFinding, log: LogRange, criteria: ScopeCriteria) -> Read:
        """Read the next part of the range `log`: count the entries, and hash them into the tree."""
        first, end = finding.next_index, min(finding.next_index + _AT_ONCE, log.end)
        keys = await self._checkpoints.verifiers(finding.tenant)
        assets: dict[str, None] = {}
        leaves: list[bytes] = []
        is_read = True
        async for index, payload, _ in self._store.read_checked(finding.tenant, end, first):
            entry = None if payload is None else readable(payload)
            try:
                leaves.append(leaf_of(payload or b"", index, log.origin, keys))
            except MerkleError:
                is_read = False
            if payload is None:
                is_read = False
            elif entry is not None:
                finding, asset = take_entry(finding, criteria, entry)
                assets |= {} if asset is None else {asset: None}
            elif is_redaction(payload):
                finding = msgspec.structs.replace(finding, redacted=finding.redacted + 1)
            else:
                is_read = False
        root = await self._root(finding, leaves) if is_read and len(leaves) == end - first else ""
        if not root:
            finding = with_unknown(finding, LOG_DAMAGED)
        return Read(msgspec.structs.replace(finding, next_index=end, root=root), list(assets))

    async def end(self, finding: TenantFinding, log: LogRange) -> TenantFinding:
        """Hold the entries of the range `log` to the checkpoint; add the proof of consistency."""
        if log.checkpoint is None:
            return finding
        published = await self._checkpoints.at(finding.tenant, log.end)
        if finding.root != _text(published.root_hash):
            return with_unknown(finding, LOG_DAMAGED)
        hashes: Sequence[bytes] = ()
        if log.first:
            hashes = await self._proofs.consistency(finding.tenant, log.first, log.end)
        proven = msgspec.structs.replace(
            log, is_whole=True, consistency=tuple(_text(one) for one in hashes)
        )
        return msgspec.structs.replace(finding, log=proven)

    async def _root(self, finding: TenantFinding, leaves: Sequence[bytes]) -> str:
        """Return the root after the leaves; empty where the tiles differ from the entries read."""
        try:
            edge = await self._store.edge_at(finding.tenant, finding.next_index)
        except (LogDamagedError, NotFoundError):
            return ""
        if _text(edge.root()) != finding.root:
            return ""
        after, _ = edge.append(leaves)
        return _text(after.root())

    async def _first(self, tenant: str, since: datetime, end: int) -> int:
        """Return the index of the first entry that may belong to a window from `since` on.

        Entries are in the order of receipt, apart from differences between clocks, and a trusted
        time is at most slightly after the receipt. An unreadable entry counts as early enough.
        """
        low, high = 0, end
        while low < high:
            middle = (low + high) // 2
            received = await self._received(tenant, middle, high)
            if received is None or since - received <= CLOCK_TOLERANCE + _SKEW:
                high = middle
            else:
                low = middle + 1
        return low

    async def _received(self, tenant: str, index: int, end: int) -> datetime | None:
        """Return the time of receipt of the first readable entry of a few from `index` on."""
        last = min(index + 16, end)
        async for _, payload, _ in self._store.read_checked(tenant, last, index):
            if payload is not None and (entry := readable(payload)) is not None:
                return entry.received_at
        return None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
