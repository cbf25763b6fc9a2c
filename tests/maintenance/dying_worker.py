"""A process that announces windows, in children that may be killed at any step.

`tests.intake.dying_worker` says how.
"""

import shared.azure.bus
import shared.azure.tables
import shared.maintenance.service  # noqa: F401 - imported once, and not in each child
from tests.intake import dying_worker
from tests.maintenance.steps import flow


async def work(app, _job):
    """Run a round of announcements, and the sweep of the outbox."""
    await flow(app).announce()


if __name__ == "__main__":
    dying_worker.main(work)
