"""The triggers of every flow."""

from functions import (
    accesses,
    assets,
    backups,
    consents,
    erasures,
    failed_messages,
    intake,
    maintenance,
    messages,
    rereads,
    rescans,
    scanning,
    stamp_record,
    system,
    tenancy,
)
from functions.accesslog import entries, proofs, upkeep
from functions.breaches import desk as breach_desk
from functions.breaches import messages as breach_messages
from functions.breaches import notices as breach_notices
from functions.incidents import desk as incident_desk
from functions.incidents import messages as incident_messages
from functions.notices import contacts, reading, refusals, staff
from functions.notices import queues as notice_queues

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
        incident_messages,
        incident_desk,
        breach_messages,
        breach_desk,
        breach_notices,
        messages,
        notice_queues,
        reading,
        contacts,
        staff,
        refusals,
        failed_messages,
        stamp_record,
        maintenance,
    )
)
