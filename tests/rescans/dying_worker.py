"""A process that does the work of a rescan, in children that may be killed at any step.

`tests.intake.dying_worker` says how.
"""

import sys
from pathlib import Path

import shared.azure.blobs
import shared.azure.bus
import shared.azure.tables
import shared.rescans.service  # noqa: F401 - imported once, and not in each child
from shared.scanning.yara import Signatures
from tests.intake import dying_worker
from tests.rescans.steps import ALL, MIA, With, run, use

NEWER = Signatures(Path(sys.argv[2]))


async def work(app, job):
    """Request a rescan, deliver its messages to the end, and run the timer."""
    use(app, With(NEWER))
    tenant, rescan = job["event"]["tenant"], job["event"]["rescan"]
    await app.rescans.request(tenant, ALL, MIA, rescan)
    state = await run(app, tenant, rescan)
    # A message of the last batch may be delivered once more.
    await app.rescans.advance(tenant, rescan, state.batch)


if __name__ == "__main__":
    dying_worker.main(work)
