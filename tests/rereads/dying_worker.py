"""A process that does the work of a reread, in children that may be killed at any step.

`tests.intake.dying_worker` says how.
"""

import shared.azure.blobs
import shared.azure.bus
import shared.azure.tables
import shared.intake.inspection
import shared.rereads.service  # noqa: F401 - imported once, and not in each child
from tests.intake import dying_worker
from tests.rereads.steps import ADA, ALL, DataKeyVersions, run


async def work(app, job):
    """Request a reread, deliver its messages to the end, and the last message once more."""
    data_keys = app.adapters.data_keys = DataKeyVersions()
    data_keys.rotate()
    tenant, reread = job["event"]["tenant"], job["event"]["reread"]
    await app.rereads.request(tenant, ALL, ADA, reread)
    state = await run(app, tenant, reread)
    await app.rereads.advance(tenant, reread, state.batch)


if __name__ == "__main__":
    dying_worker.main(work)
