"""`reference/http.md` and `reference/openapi.json`, from the app's OpenAPI document."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from functions import documents
from infra.docs import markdown, schemas
from infra.docs.markdown import code, link

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_INTRODUCTION: Final = """\
Every path begins with `/api`. A caller sends `Authorization: Bearer <token>`, except where the
page says that no token is needed. The same interface as OpenAPI 3.1 is
[openapi.json](openapi.json), and the app serves it at `/api/openapi.json`.

A refused request is answered with a problem: see [problems](problems.md). The problems of an
endpoint that the code foresees are listed by status; any endpoint may answer 500.

A caller has a rate and a burst on each instance of the app, the settings `REQUESTS_PER_SECOND` and
`REQUEST_BURST`; so has an address that sends no valid token. A request beyond is answered 429, with
the seconds to wait in `Retry-After`. The two endpoints of health have no limit.

People of a tenant get the same 404 for every other tenant, whether the tenant exists or not, before
anything of their request is read. An id in a path is a short plain token, as in
[messages](messages.md). `If-Match` is a list of strong ETags; a weak ETag matches nothing, and `*`
is taken by `PATCH /tenants/{tenant}` alone.

What a tenant's people read of assets, grants and erasure requests, and each URL to upload to, is
recorded in the tenant's log before the answer. Where the log takes no entry, the answer is 503."""


def openapi() -> bytes:
    """Return the OpenAPI document as the app serves the document."""
    return documents.openapi()


def page() -> bytes:
    """Return the page: an overview of the endpoints, each endpoint, and the bodies."""
    document = json.loads(openapi())
    by_tag: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                by_tag[operation["tags"][0]].append((f"{method.upper()} {path}", operation))
    overview = markdown.table(
        ("request", "roles", "does"),
        (
            (link(code(name), name), _roles(operation), operation["summary"])
            for endpoints in by_tag.values()
            for name, operation in endpoints
        ),
    )
    bodies = document["components"]["schemas"].items()
    return markdown.page(
        "HTTP",
        _INTRODUCTION,
        overview,
        *(_flow(tag, endpoints) for tag, endpoints in by_tag.items()),
        "## Bodies",
        *(schemas.section(name, schema) for name, schema in bodies),
    )


def _flow(tag: str, endpoints: list[tuple[str, Mapping[str, Any]]]) -> str:
    parts = [f"## The path `{tag}`"]
    for name, operation in endpoints:
        parts.append(f"### `{name}`")
        parts.append(" ".join([operation["summary"], operation.get("description", "")]).strip())
        parts.append(markdown.table(("", ""), _rows(operation)))
    return "\n\n".join(parts)


def _rows(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "who may", _roles(operation)
    for parameter in operation["parameters"]:
        if parameter["in"] != "path":
            needed = "needed; " if parameter.get("required") else ""
            described = f"{needed}{schemas.words(parameter['schema'])}. {parameter['description']}"
            yield f"{parameter['in']} {code(parameter['name'])}", described
    if "requestBody" in operation:
        yield "takes", _content(operation["requestBody"]["content"])
    problems = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            problems.append(status)
        else:
            content = _content(answer["content"]) if "content" in answer else "no body"
            yield f"answers {status}", content
    # `default` stands for every status that is not foreseen.
    foreseen = [status for status in problems if status != "default"]
    if foreseen:
        yield "problems", ", ".join(foreseen)


def _roles(operation: Mapping[str, Any]) -> str:
    roles = [role for option in operation["security"] for role in option["entra"]]
    return ", ".join(code(role) for role in roles) or "anybody, without a token"


def _content(content: Mapping[str, Any]) -> str:
    kinds = [
        schemas.words(kind["schema"]) if kind.get("schema") else code(media_type)
        for media_type, kind in content.items()
    ]
    return " or ".join("bytes of any type" if kind == "`*/*`" else kind for kind in kinds)
