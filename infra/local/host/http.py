"""The HTTP trigger: requests in, through the app's functions, responses out."""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from azure.core.exceptions import AzureError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra.local.host import protos
from infra.local.host.admin import Admin
from infra.local.host.envelopes import joined_headers, request_datum, response_of
from infra.local.host.errors import StartupError
from infra.local.host.hostjson import HostSettings
from infra.local.host.invoke import Invoker
from infra.local.host.keys import ADMIN, ANONYMOUS, Keys, level_of
from infra.local.host.loading import Function
from infra.local.host.routes import Route, compile_route, path_of
from infra.local.host.settings import AppSettings
from infra.local.host.webhook import PATH as WEBHOOK
from infra.local.host.webhook import SYSTEM_KEY, Webhook

log = logging.getLogger("host.http")

# Azure's default in bytes, and the app setting that changes the limit.
BODY_LIMIT = 100 * 1024 * 1024
BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"

# The page at the root, unless an app setting turns the page off or a function has the route.
HOMEPAGE = "<!doctype html><title>Functions</title><p>Your function app is up and running."
HOMEPAGE_SETTING = "AzureWebJobsDisableHomepage"


@dataclass(frozen=True)
class HttpEndpoint:
    """One HTTP function behind a route. An empty ``methods`` means every method."""

    function: Function
    route: Route
    methods: frozenset[str]
    level: str

    def overlaps(self, other: "HttpEndpoint") -> bool:
        """Tell whether some request would match both endpoints."""
        shared = not self.methods or not other.methods or self.methods & other.methods
        return bool(shared) and self.route.shape == other.route.shape


class BodyTooLargeError(Exception):
    """The request's body is larger than the limit."""


def endpoints(functions: list[Function], settings: HostSettings) -> list[HttpEndpoint]:
    """Return the HTTP functions in the order in which the host tries the routes.

    Raises StartupError with a line for each unusable function.
    """
    found: list[HttpEndpoint] = []
    wrong: list[str] = []
    for function in functions:
        if function.kind != "httpTrigger":
            continue
        template = "/".join(
            filter(None, (settings.route_prefix, function.trigger["route"].strip("/")))
        )
        try:
            level = level_of(function)
            route = compile_route(template)
        except StartupError as refused:
            wrong += [f"function {function.name}: {line}" for line in refused.lines]
            continue
        methods = frozenset(method.upper() for method in function.trigger.get("methods") or ())
        endpoint = HttpEndpoint(function, route, methods, level)
        wrong += [
            f"function {function.name}: route {template} is also that of {other.function.name}"
            for other in found
            if endpoint.overlaps(other)
        ]
        found.append(endpoint)
    if wrong:
        raise StartupError(*wrong)
    return sorted(found, key=lambda endpoint: endpoint.route.precedence)


def body_limit(settings: AppSettings) -> int:
    """Return the largest request body in bytes. Raise StartupError for text that is no number."""
    text = settings.get(BODY_LIMIT_SETTING)
    if text is None:
        return BODY_LIMIT
    if not text.isdecimal():
        raise StartupError(f"the app setting {BODY_LIMIT_SETTING} is not a number of bytes: {text}")
    return int(text)


class HttpApp:
    """The ASGI application: the host's admin endpoints and the app's HTTP functions."""

    def __init__(
        self,
        endpoints: list[HttpEndpoint],
        invoker: Invoker,
        admin: Admin,
        limit: int,
        keys: Keys | None,
        webhook: Webhook,
        *,
        homepage: bool,
    ) -> None:
        """Take ``limit``, the largest body in bytes. Without ``keys`` no endpoint needs a key."""
        self._endpoints = endpoints
        self._invoker = invoker
        self._admin = admin
        self._limit = limit
        self._keys = keys
        self._webhook = webhook
        self._home = (200, HOMEPAGE) if homepage else (204, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            # The client is gone, and a request without its body cannot be served.
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = path_of(request.scope["raw_path"])
        if path.split("/")[0] == "admin":
            return await self._administer(request, path)
        if path == WEBHOOK:
            return await self._deliver(request)
        for endpoint in self._endpoints:
            parameters = endpoint.route.match(path)
            allowed = not endpoint.methods or request.method in endpoint.methods
            if parameters is not None and allowed:
                return await self._call(endpoint, request, parameters)
        if (request.method, path) == ("GET", ""):
            status, page = self._home
            return Response(page, status, media_type="text/html")
        # A known route with another method is a 404 too, HEAD on a GET route included:
        # https://github.com/Azure/azure-functions-host/issues/10098 and 11625.
        return await _without_body(request, 404)

    async def _administer(self, request: Request, path: str) -> Response:
        # Only a ping needs no key: "Work with access keys in Azure Functions".
        if path != "admin/host/ping" and (refusal := self._refusal(request, ADMIN)):
            return await _without_body(request, refusal)
        try:
            body = await self._read_body(request)
        except BodyTooLargeError:
            return Response(status_code=413)
        return self._admin.answer(request.method, path, request.headers, body)

    async def _deliver(self, request: Request) -> Response:
        if self._keys is None or not self._keys.loaded:
            # Without a function whose source is Event Grid the endpoint does not exist.
            return await _without_body(request, 404 if self._keys is None else 503)
        if not self._keys.allows_extension(request, SYSTEM_KEY):
            return await _without_body(request, 401)
        try:
            body = await self._read_body(request)
        except BodyTooLargeError:
            return Response(status_code=413)
        function = request.query_params.get("functionName")
        try:
            return await self._webhook.answer(request.method, function, request.headers, body)
        except AzureError as error:
            # Event Grid delivers again, because the host did not accept events that were not
            # written down.
            log.warning("cannot keep events: %s", error)
            return Response(status_code=503)

    async def _call(
        self, endpoint: HttpEndpoint, request: Request, parameters: Mapping[str, str]
    ) -> Response:
        name = endpoint.function.name
        if endpoint.level != ANONYMOUS and (
            refusal := self._refusal(request, endpoint.level, name)
        ):
            return await _without_body(request, refusal)
        try:
            body = await self._read_body(request)
        except BodyTooLargeError:
            return Response(status_code=413)
        return await self._invoke(endpoint.function, request, parameters, body)

    def _refusal(self, request: Request, level: str, function: str | None = None) -> int | None:
        """Return the status that refuses a request without a right key; None for a right key."""
        if self._keys is None or not self._keys.needed:
            return None
        if not self._keys.loaded:
            return 503
        return None if self._keys.allows(request, level, function) else 401

    async def _read_body(self, request: Request) -> bytes:
        """Read the whole body into memory once, as the Functions host does.

        A body over the limit is read to the end but not kept, so the client can read the answer.
        """
        # A BytesIO grows in place and hands out its content without a copy.
        kept = io.BytesIO()
        size = 0
        async for part in request.stream():
            size += len(part)
            if size <= self._limit:
                kept.write(part)
            elif kept.tell():
                kept = io.BytesIO()
        if size > self._limit:
            raise BodyTooLargeError
        return kept.getvalue()

    async def _invoke(
        self, function: Function, request: Request, parameters: Mapping[str, str], body: bytes
    ) -> Response:
        headers = joined_headers(request.scope)
        outcome = await self._invoker.run(
            function,
            request_datum(request.scope, headers, parameters, body),
            trace=protos.TraceContext(
                headers.get("traceparent", ""), headers.get("tracestate", "")
            ),
        )
        if not outcome.succeeded:
            return Response(status_code=500)
        # "By default, an HTTP trigger returns HTTP 204 No Content with an empty body".
        return (
            Response(status_code=204) if outcome.returned is None else response_of(outcome.returned)
        )


async def _without_body(request: Request, status: int) -> Response:
    """Read and drop the rest of the request, then return an empty response."""
    async for _ in request.stream():
        pass
    return Response(status_code=status)
