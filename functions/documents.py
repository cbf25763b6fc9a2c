"""The contracts of the app, as documents: OpenAPI for HTTP, AsyncAPI for messages."""

from functools import cache
from typing import Any

import azure.functions as func
import msgspec

from functions.blueprints import BLUEPRINTS
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING
from functions.edge.http import HttpRoutes
from functions.edge.operations import Raw
from shared.composition.system import SystemFlow

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, SystemFlow)

# The documents describe the endpoints of every imported module; the imports above cover the app.
EVERY_BLUEPRINT = (*BLUEPRINTS, blueprint)
"""The blueprints of the app: those of the flows, and the documents'."""

_JSON = Raw(("application/json",))


@http.endpoint("GET", "openapi.json", discloses=NOTHING, roles=None, replies={200: _JSON})
async def read_openapi(_call: Call[SystemFlow]) -> Reply:
    """The HTTP interface as an OpenAPI 3.1 document."""
    return Reply(200, content=openapi())


@http.endpoint("GET", "asyncapi.json", discloses=NOTHING, roles=None, replies={200: _JSON})
async def read_asyncapi(_call: Call[SystemFlow]) -> Reply:
    """The messages and their queues as an AsyncAPI 3.0 document."""
    return Reply(200, content=asyncapi())


@cache
def openapi() -> bytes:
    """Return the OpenAPI document, as JSON that people can read."""
    from functions.edge.openapi import document

    return _encode(document())


@cache
def asyncapi() -> bytes:
    """Return the AsyncAPI document, as JSON that people can read."""
    from shared.messages.asyncapi import document

    return _encode(document())


def _encode(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
