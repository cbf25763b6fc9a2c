"""Is the app alive, and can it reach what it stands on?"""

import azure.functions as func

from functions.http import Call, Reply, endpoint
from functions.replies import Health, Readiness

blueprint = func.Blueprint()


@blueprint.route("health", methods=["GET"])
@endpoint(roles=None, replies={200: Health})
async def health(_call: Call) -> Reply:
    """The app runs. Asks no other service."""
    return Reply(200, Health(status="ok"))


@blueprint.route("health/ready", methods=["GET"])
@endpoint(roles=None, replies={200: Readiness, 503: Readiness})
async def health_ready(call: Call) -> Reply:
    """Storage, bus and vault answer; each with its latency in milliseconds."""
    checks = await call.app.readiness()
    ready = all(check.reachable for check in checks.values())
    found = Readiness(status="ok" if ready else "unavailable", checks=dict(checks))
    return Reply(200 if ready else 503, found)
