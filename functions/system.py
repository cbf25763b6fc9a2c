"""The health of the app: that the app runs, and that each service beneath answers."""

from typing import Literal

import azure.functions as func

from functions.edge.bodies import View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING
from functions.edge.http import HttpRoutes
from shared.composition.system import Check, SystemFlow

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, SystemFlow)


class Health(View, frozen=True):
    """The app runs."""

    status: Literal["ok"]


class Readiness(View, frozen=True):
    """The answer of each service beneath the app, by name."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, Check]


@http.endpoint("GET", "health", discloses=NOTHING, roles=None, replies={200: Health}, limited=False)
async def health(_call: Call[SystemFlow]) -> Reply:
    """Tell that the app runs, without asking a service."""
    return Reply(200, Health(status="ok"))


@http.endpoint(
    "GET",
    "health/ready",
    discloses=NOTHING,
    roles=None,
    replies={200: Readiness, 503: Readiness},
    limited=False,
)
async def health_ready(call: Call[SystemFlow]) -> Reply:
    """Ask storage, bus and both vaults for an answer; each with the latency in milliseconds.

    An answer serves every request of some seconds. A vault without an enabled version of a secret
    that the app needs is unreachable.
    """
    checks = await call.flow.readiness()
    ready = all(check.reachable for check in checks.values())
    found = Readiness(status="ok" if ready else "unavailable", checks=dict(checks))
    return Reply(200 if ready else 503, found)
