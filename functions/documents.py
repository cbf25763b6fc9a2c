"""The contracts with those who call us, as documents: OpenAPI for HTTP, AsyncAPI for messages."""

from functools import cache
from typing import Any

import azure.functions as func
import msgspec

from functions.http import Call, Reply, endpoint
from functions.operations import Raw

blueprint = func.Blueprint()

_JSON = Raw(("application/json",))


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
    from functions.openapi import document

    return _encode(document())


@cache
def asyncapi() -> bytes:
    """The AsyncAPI document, as JSON to be read by people too."""
    from shared.messages.asyncapi import document

    return _encode(document())


def _encode(document: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
