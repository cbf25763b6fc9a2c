"""The triggers of every flow."""

from functions import (
    access,
    accesslog,
    backups,
    consents,
    documents,
    erasures,
    health,
    logcare,
    logproofs,
    outbox,
    scans,
    tenants,
    uploads,
)

BLUEPRINTS = tuple(
    flow.blueprint
    for flow in (
        health,
        documents,
        tenants,
        uploads,
        scans,
        consents,
        access,
        accesslog,
        logproofs,
        logcare,
        erasures,
        backups,
        outbox,
    )
)
