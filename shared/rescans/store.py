"""The rows and the messages of rescans."""

from typing import Final

from shared.assets.run_store import RunKind, RunStore
from shared.messages.contracts import RescanBatchReady
from shared.rescans.rules import Rescan, rescan_not_found

type RescanStore = RunStore[Rescan]


def _ready(state: Rescan) -> RescanBatchReady:
    return RescanBatchReady(tenant=state.tenant, rescan_id=state.id, batch=state.batch)


RESCANS: Final = RunKind(Rescan, "rescan", _ready, rescan_not_found)
