"""The host's own endpoints under ``/admin``: its state, its functions, firing one by hand.

The shapes are those of the Functions host's ``HostStatus`` and ``FunctionMetadataResponse``; what
would point at files (``/admin/vfs``) is null, as those are not served. Source: "Manually run a non
HTTP-triggered function" (learn.microsoft.com). In Azure they need the master key, and so they do
here for an app that has keys. Else, as with Core Tools, the loopback address is the guard, with a
JSON content type required of POST, which no web page can send across origins without asking first.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

from starlette.responses import JSONResponse, Response

from infra.local.host.loading import SCRIPT, Function

# The major version of the Functions host whose contract this is; there is no finer one to name.
VERSION = "4.0.0.0"


class Admin:
    """Answers admin requests; ``fire`` maps the functions that can be run by hand to how."""

    def __init__(
        self,
        host: str,
        functions: list[Function],
        fire: Mapping[str, Callable[[str], None]],
        routes: Mapping[str, str],
        disabled: Collection[str],
    ) -> None:
        """``routes`` has the templates of the HTTP functions, route prefix included."""
        self._host = host
        self._functions = {function.name.lower(): function for function in functions}
        self._fire = {name.lower(): action for name, action in fire.items()}
        self._routes = routes
        self._disabled = disabled
        self._started = time.monotonic()
        self.state = "Starting"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The response to a request for this path, without its leading slash."""
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
