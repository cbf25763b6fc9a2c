"""A process that replays failed messages, in children that may be killed at any step.

`tests.intake.dying_worker` says how.
"""

import shared.azure.bus
import shared.failed_messages.service  # noqa: F401 - imported once, and not in each child
from tests.failed_messages.steps import ITO, flow, listed
from tests.intake import dying_worker


async def work(app, job):
    """Replay the failed messages of a tenant."""
    found = await listed(app, tenant=job["event"]["tenant"])
    if found:
        await flow(app).replay([one.id for one in found], "mended", ITO)


if __name__ == "__main__":
    dying_worker.main(work)
