"""The triggers of every flow."""

from functions import (
    accesses,
    assets,
    backups,
    consents,
    erasures,
    incidents,
    intake,
    messages,
    rereads,
    rescans,
    scanning,
    system,
    tenancy,
)
from functions.accesslog import entries, proofs, upkeep

BLUEPRINTS = tuple(
    flow.blueprint
    for flow in (
        system,
        tenancy,
        intake,
        scanning,
        rescans,
        rereads,
        assets,
        consents,
        accesses,
        entries,
        proofs,
        upkeep,
        erasures,
        backups,
        incidents,
        messages,
    )
)
