"""The OpenAPI 3.1 document, made of the triggers, their operations and the types of their bodies.

Source: OpenAPI Specification 3.1.1; its schemas are JSON Schema 2020-12.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

import msgspec

from functions.edge.operations import OPERATIONS, Answer, Body, HttpOperation, Raw
from functions.edge.problems import MEDIA_TYPE, Problem

_VERSION: Final = "1"
_SCHEMAS: Final = "#/components/schemas/"
# A star is ASP.NET Core's for a parameter that takes the rest of the path.
_PATH_PARAMETER: Final = re.compile(r"\{\*?([^}:?]+)[^}]*\}")
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes the request safe to send again: the same key stands for one creation.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of the state that was seen (RFC 9110 section 13.1.1).",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """Make the whole document, of the endpoints of every module that was imported."""
    served = list(_served())
    kinds = [kind for _, _, operation in served for kind in _kinds(operation)]
    schemas, components = msgspec.json.schema_components(
        [Problem, *kinds], ref_template=_SCHEMAS + "{name}"
    )
    # A type need not be hashable, so each type is found by position.
    by_kind = dict(zip(map(id, [Problem, *kinds]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in served:
        paths.setdefault(path, {})[method] = _operation(path, operation, by_kind)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Vouchsafe",
            "version": _VERSION,
            "description": (
                "The data-protection backend of a multi-tenant digital asset management service. "
                "Errors are RFC 9457 problems with a stable `type` and a `remedy`."
            ),
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/api"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {
                "Problem": {
                    "description": "What is wrong, and what to do about it.",
                    "content": {MEDIA_TYPE: {"schema": by_kind[id(Problem)]}},
                }
            },
            "securitySchemes": {
                "entra": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _served() -> Iterator[tuple[str, str, HttpOperation]]:
    """Yield the path, the method in small letters and the operation of each endpoint."""
    for (method, route), operation in OPERATIONS.items():
        yield "/" + _PATH_PARAMETER.sub(r"{\1}", route), method.lower(), operation


def _kinds(operation: HttpOperation) -> Iterator[Any]:
    yield from (kind for kind in _alternatives(operation.body) if not isinstance(kind, Raw))
    yield from (parameter.kind for parameter in operation.query)
    for answer in operation.replies.values():
        yield from (kind for kind in _alternatives(answer) if not isinstance(kind, Raw))


def _operation(
    path: str, operation: HttpOperation, schemas: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(operation.doc).partition("\n\n")
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": " ".join(summary.split()),
        "tags": [path.split("/")[3 if path.startswith("/tenants/{tenant}/") else 1]],
        "parameters": list(_parameters(path, operation, schemas)),
        "responses": _responses(path, operation, schemas),
        # Any role of the list suffices, so each role is an alternative.
        "security": [{"entra": [role]} for role in sorted(operation.roles or ())],
    }
    if description:
        described["description"] = " ".join(description.split())
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body, schemas)}
    return described


def _content(answer: Answer | Body, schemas: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The alternatives of a body, by media type."""
    content: dict[str, Any] = {}
    json = []
    for kind in _alternatives(answer):
        if isinstance(kind, Raw):
            content |= {media_type: {} for media_type in kind.media_types}
        else:
            json.append(schemas[id(kind)])
    if json:
        schema = json[0] if len(json) == 1 else {"anyOf": json}
        content = {"application/json": {"schema": schema}} | content
    return content


def _parameters(
    path: str, operation: HttpOperation, schemas: dict[int, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for name in _PATH_PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for parameter in operation.query:
        yield {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": schemas[id(parameter.kind)],
        }
    if operation.idempotent:
        yield _IDEMPOTENCY_KEY
    if operation.conditional:
        yield _IF_MATCH


def _responses(
    path: str, operation: HttpOperation, schemas: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in operation.replies.items():
        content = _content(answer, schemas)
        response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        responses[str(status)] = response | ({"content": content} if content else {})
    problem = {"$ref": "#/components/responses/Problem"}
    for status in _refusals(path, operation):
        responses.setdefault(str(status), problem)
    return dict(sorted(responses.items())) | {"default": problem}


def _alternatives(answer: Answer | Body) -> Iterable[type | Raw]:
    if answer is None:
        return ()
    return answer if isinstance(answer, tuple) else (answer,)


def _refusals(path: str, operation: HttpOperation) -> Iterable[int]:
    """Yield the statuses of the problems that follow from the endpoint's input."""
    if operation.roles is not None:
        yield from (401, 403, 429, 503)
    if "{" in path:
        yield 404
    if operation.body is not None:
        yield from (400, 422)
    if operation.query:
        yield 422
    if operation.conditional:
        yield from (412, 428)
