"""HTTP requests in the runtime library's form, and HTTP responses from a function's result."""

import json
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from azure_functions_runtime.bindings.datumdef import Datum
from starlette.responses import Response
from starlette.types import Scope

# Headers that describe the connection. The web server writes its own.
HOP_BY_HOP = frozenset(("connection", "content-length", "keep-alive", "transfer-encoding"))


def joined_headers(scope: Scope) -> dict[str, str]:
    """Return the request's headers, one value for each name, with the client's address."""
    headers = _joined(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )
    # As Azure's front end does: append the peer's address and port to the given list.
    if scope["client"] is not None:
        host, port = scope["client"]
        came = headers.get("x-forwarded-for")
        headers["x-forwarded-for"] = f"{came}, {host}:{port}" if came else f"{host}:{port}"
    return headers


def request_datum(
    scope: Scope, headers: Mapping[str, str], parameters: Mapping[str, str], body: bytes
) -> Datum:
    """Return the value of an HTTP trigger's parameter."""
    query = scope["query_string"].decode("latin-1")
    url = f"{scope['scheme']}://{headers.get('host', '')}{scope['raw_path'].decode('latin-1')}"
    asked = _joined(parse_qsl(query, keep_blank_values=True)) if query else {}
    return Datum(
        {
            "method": Datum(scope["method"], "string"),
            "url": Datum(f"{url}?{query}" if query else url, "string"),
            "headers": _strings(headers),
            "query": _strings(asked),
            "params": _strings(parameters),
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def _joined(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join repeated values of a name by commas, as .NET's StringValues print."""
    joined: dict[str, str] = {}
    for name, value in items:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _strings(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def response_of(returned: Datum) -> Response:
    """Return the response for a function's result, a text or a whole response."""
    if returned.type != "http":
        text = returned.value if returned.type == "string" else json.dumps(returned.value)
        return Response(text, media_type="text/plain")
    answer = returned.value
    response = Response(answer["body"].value, int(answer["status_code"].value))
    for name, value in answer["headers"].items():
        if name.lower() not in HOP_BY_HOP:
            response.headers.append(name, value.value)
    for cookies in answer["cookies"] or ():
        for morsel in cookies.values():
            response.headers.append("set-cookie", morsel.OutputString())
    return response
