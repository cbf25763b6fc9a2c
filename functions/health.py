"""Is the app alive, and can it reach what it stands on?"""

import azure.functions as func

from functions.http import Call, Reply, endpoint

blueprint = func.Blueprint()


@blueprint.route("health", methods=["GET"])
@endpoint(roles=None)
async def health(_call: Call) -> Reply:
    """The app runs. Asks no other service."""
    return Reply(200, {"status": "ok"})


@blueprint.route("health/ready", methods=["GET"])
@endpoint(roles=None)
async def health_ready(call: Call) -> Reply:
    """Storage, bus and vault answer; each with its latency in milliseconds."""
    checks = await call.app.readiness()
    ready = all(check.reachable for check in checks.values())
    status = "ok" if ready else "unavailable"
    return Reply(200 if ready else 503, {"status": status, "checks": checks})
