"""The app itself: its health, and its contracts as OpenAPI and AsyncAPI documents."""

from functools import cache
from typing import Any, Literal

import azure.functions as func
import msgspec

from functions.edge.bodies import View
from functions.edge.http import Call, Reply, endpoint
from functions.edge.operations import Raw
from shared.composition import Check

blueprint = func.Blueprint()

_JSON = Raw(("application/json",))


class Health(View, frozen=True):
    """The app runs."""

    status: Literal["ok"]


class Readiness(View, frozen=True):
    """Whether each service that the app stands on answers, by name."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, Check]


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


@blueprint.route("openapi.json", methods=["GET"])
@endpoint(roles=None, replies={200: _JSON})
async def read_openapi(_call: Call) -> Reply:
    """The HTTP interface as an OpenAPI 3.1 document."""
    return Reply(200, content=openapi())


@blueprint.route("asyncapi.json", methods=["GET"])
@endpoint(roles=None, replies={200: _JSON})
async def read_asyncapi(_call: Call) -> Reply:
    """The messages and their queues as an AsyncAPI 3.0 document."""
    return Reply(200, content=asyncapi())


@cache
def openapi() -> bytes:
    """The OpenAPI document, as JSON to be read by people too."""
    from functions.edge.openapi import document

    return _encode(document())


@cache
def asyncapi() -> bytes:
    """The AsyncAPI document, as JSON to be read by people too."""
    from shared.messages.asyncapi import document

    return _encode(document())


def _encode(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
