"""The host's own endpoints under ``/admin``: its state, its functions, firing one by hand.

https://learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http. In Azure they
need the master key; here the loopback address is the guard, with a JSON content type required of
POST (as in Azure), which no web page can send across origins without asking first.
"""

import json
from collections.abc import Callable, Mapping

from starlette.responses import JSONResponse, Response

from infra.local.host.loading import Function


class Admin:
    """Answers admin requests; ``fire`` maps the functions that can be fired to how."""

    def __init__(self, functions: list[Function], fire: Mapping[str, Callable[[], None]]) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._fire = {name.lower(): action for name, action in fire.items()}
        self.running = False

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The response to a request for this path, without its leading slash."""
        if (method, path) == ("GET", "admin/host/status"):
            return JSONResponse({"state": "Running" if self.running else "Starting"})
        if (method, path) == ("GET", "admin/functions"):
            return JSONResponse([_described(item) for item in self._functions.values()])
        if method == "POST" and path.startswith("admin/functions/"):
            return self._run(path.removeprefix("admin/functions/"), headers, body)
        return Response(status_code=404)

    def _run(self, name: str, headers: Mapping[str, str], body: bytes) -> Response:
        if name.lower() not in self._functions:
            return Response(status_code=404)
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return Response("The content type must be application/json.", 415)
        try:
            given = json.loads(body)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return Response('The body must be a JSON object such as {"input": ""}.', 400)
        fire = self._fire.get(name.lower())
        if fire is None:
            return Response(f"{name} is not a timer function: use its own trigger.", 400)
        fire()
        return Response(status_code=202)


def _described(function: Function) -> dict[str, object]:
    return {
        "name": function.name,
        "language": "python",
        "config": {"bindings": list(function.bindings)},
        "isDisabled": False,
    }
