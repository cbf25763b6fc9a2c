"""The host's own endpoints under ``/admin``: state, functions, running a function by hand.

The replies have the shapes of the Functions host's ``HostStatus`` and ``FunctionMetadataResponse``.
Links to files (``/admin/vfs``) are null, because the host serves no files. Source: "Manually run a
non HTTP-triggered function" (learn.microsoft.com). Azure asks for the master key. This host asks
for the master key where the app has keys. Without keys the loopback address is the guard, as with
Core Tools. A POST then needs a JSON content type, because no web page can send JSON across origins
without a CORS preflight.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

from starlette.responses import JSONResponse, Response

from infra.local.host.loading import SCRIPT, Function

# The contract's major version of the Functions host. The contract names no minor version.
VERSION = "4.0.0.0"


class Admin:
    """Answer admin requests. ``fire`` maps each function that can run by hand to its action."""

    def __init__(
        self,
        host: str,
        functions: list[Function],
        fire: Mapping[str, Callable[[str], None]],
        routes: Mapping[str, str],
        disabled: Collection[str],
    ) -> None:
        """Take ``routes``, the templates of the HTTP functions with the route prefix."""
        self._host = host
        self._functions = {function.name.lower(): function for function in functions}
        self._fire = {name.lower(): action for name, action in fire.items()}
        self._routes = routes
        self._disabled = disabled
        self._started = time.monotonic()
        self.state = "Starting"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Return the response to a request for a path without the leading slash."""
        if (method, path) == ("GET", "admin/host/status"):
            return JSONResponse(self._status())
        if path == "admin/host/ping" and method in ("GET", "POST"):
            return Response(status_code=200)
        base = f"http://{headers.get('host', '')}"
        if (method, path) == ("GET", "admin/functions"):
            return JSONResponse([self._described(item, base) for item in self._functions.values()])
        place, _, name = path.rpartition("/")
        function = self._functions.get(name.lower())
        if place == "admin/functions" and function is not None:
            if method == "GET":
                return JSONResponse(self._described(function, base))
            if method == "POST":
                return self._run(function.name, headers, body)
        return Response(status_code=404)

    def _status(self) -> dict[str, object]:
        return {
            "id": self._host,
            "state": self.state,
            "version": VERSION,
            "versionDetails": f"azure-functions-runtime {version('azure-functions-runtime')}",
            "processUptime": int((time.monotonic() - self._started) * 1000),
        }

    def _described(self, function: Function, base: str) -> dict[str, object]:
        route = self._routes.get(function.name)
        return {
            "name": function.name,
            "script_root_path_href": None,
            "script_href": None,
            "config_href": None,
            "test_data_href": None,
            "href": f"{base}/admin/functions/{function.name}",
            "invoke_url_template": None if route is None else f"{base}/{route}".lower(),
            "language": "python",
            "config": {
                "name": function.name,
                "scriptFile": SCRIPT,
                "language": "python",
                "bindings": list(function.bindings),
            },
            "files": None,
            "test_data": "",
            "isDisabled": function.name in self._disabled,
            "isDirect": False,
            "isProxy": False,
        }

    def _run(self, name: str, headers: Mapping[str, str], body: bytes) -> Response:
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return Response("The content type must be application/json.", 415)
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            given = None
        text = given.get("input", "") if isinstance(given, dict) else None
        if not isinstance(text, str):
            return Response('The body must be a JSON object such as {"input": ""}.', 400)
        fire = self._fire.get(name.lower())
        if fire is None:
            return Response(f"{name} is no timer or queue function: use its own trigger.", 400)
        fire(text)
        return Response(status_code=202)
