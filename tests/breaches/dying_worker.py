"""A process that scopes and tells of a breach, in children that may be killed at any step.

`tests.intake.dying_worker` says how.
"""

from typing import Any

import shared.azure.blobs
import shared.azure.bus
import shared.azure.tables
import shared.breaches.desk
import shared.breaches.notifying
import shared.breaches.scoping.service  # noqa: F401 - imported once, and not in each child
from tests.breaches.steps import DPO, OFFICER, criteria, flow, run_round, run_scope
from tests.compositions import App
from tests.intake import dying_worker


async def work(app: App, job: dict[str, Any]) -> None:
    """Ask for the scope and for the notices, where an earlier child has not, and do both."""
    tenant, breach = job["event"]["tenant"], job["event"]["breach"]
    desk = flow(app).desk
    seen, etag = await desk.find(breach)
    if not seen.scope_run:
        seen, etag = await desk.scope(seen, etag, criteria(app, tenants=(tenant,)), OFFICER)
    await run_scope(app, breach, seen.scope_run)
    seen, etag = await desk.find(breach)
    if not seen.notice_round:
        seen, etag = await desk.tell(seen, etag, "dpo@vendor.example", DPO)
    await run_round(app, breach, seen.notice_round)
    # The messages may be delivered once more, in any order.
    await run_round(app, breach, seen.notice_round)
    await run_scope(app, breach, seen.scope_run)
    await desk.resume_one(breach)


if __name__ == "__main__":
    dying_worker.main(work)  # type: ignore[no-untyped-call]
