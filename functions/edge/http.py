"""The way in for HTTP: caller, input, record and errors of every endpoint."""

import re
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping

import azure.functions as func
import msgspec

from functions.edge.bodies import require_no_body
from functions.edge.calls import Call, Reply, client_address
from functions.edge.disclosures import Disclosure, record_answer, record_question
from functions.edge.operations import OPERATIONS, Answer, Body, HttpOperation, Parameter
from functions.edge.parameters import check_parameters
from functions.edge.problems import problem_of
from shared import composition, context
from shared.composition.edge import EdgeFlow
from shared.errors import TooManyRequestsError, UnauthenticatedError

# Neither all zeros nor the version ff is valid (W3C Trace Context, section 3.2.2).
_TRACE_PARENT = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

type Handler[F] = Callable[[Call[F]], Awaitable[Reply]]
type Endpoint = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


class HttpRoutes[F: composition.Flow]:
    """The endpoints of one flow, registered with the flow's blueprint."""

    def __init__(self, blueprint: func.Blueprint, flow: type[F]) -> None:
        self._blueprint = blueprint
        self._flow = flow

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        roles: Collection[str] | None,
        discloses: Disclosure | None,
        body: Body = None,
        replies: Mapping[int, Answer] | None = None,
        query: tuple[Parameter, ...] = (),
        idempotent: bool = False,
        conditional: bool = False,
        limited: bool = True,
    ) -> Callable[[Handler[F]], Endpoint]:
        """Make an endpoint of a handler: check the token, the role and the tenant in the path.

        The caller needs one of `roles`; None admits everybody, without a token. `discloses`
        declares the record of the answer in the tenant's log. `limited` holds each caller, or each
        address without a token, to the rate of the settings. The remaining arguments describe
        input and answers, as `HttpOperation` does. Raises ValueError for a path that names a tenant
        where `discloses` is NOTHING; a test holds each further NOTHING to what the endpoint
        replies.
        """
        if "{tenant}" in path and discloses is None:
            raise ValueError(f"{method} {path} must say how it records what it gives away")

        def decorate(handler: Handler[F]) -> Endpoint:
            async def run(req: func.HttpRequest) -> func.HttpResponse:
                origin = context.Context(correlation_id(req.headers), client_address(req.headers))
                try:
                    with context.during(origin):
                        call = await self._admit(req, roles, limited)
                        if body is None:
                            require_no_body(req)
                        return _encode(await _answer(call, handler, discloses))
                except Exception as error:  # noqa: BLE001 - the last resort, so that nothing leaks
                    return problem_of(error)

            run.__name__ = handler.__name__
            run.__doc__ = handler.__doc__
            OPERATIONS[method, path] = HttpOperation(
                handler.__name__,
                handler.__doc__ or "",
                roles,
                discloses,
                body,
                replies or {},
                query,
                idempotent,
                conditional,
            )
            route: Callable[[Endpoint], Endpoint] = self._blueprint.route(path, methods=[method])
            return route(run)

        return decorate

    async def _admit(
        self, req: func.HttpRequest, roles: Collection[str] | None, limited: bool
    ) -> Call[F]:
        """Admit a caller: token, rate, role, tenant, and only then the rest of the request.

        People of a tenant get the same answer for another tenant and for none, before storage is
        asked and before their input is looked at: neither status, body nor time tells of a tenant.
        """
        from shared.identity import ANONYMOUS, permit

        edge, flow = composition.flow(EdgeFlow), composition.flow(self._flow)
        caller = ANONYMOUS
        address = f"address {client_address(req.headers)}"
        if roles is None:
            if limited:
                _require_rate(edge, address)
        else:
            try:
                caller = await edge.tokens.caller(req.headers.get("Authorization"))
            except UnauthenticatedError:
                _require_rate(edge, address)
                raise
            _require_rate(edge, f"caller {caller.tenant or ''} {caller.id}")
            tenant = req.route_params.get("tenant")
            permit(caller, roles, tenant)
            if tenant is not None:
                await edge.tenants.require(tenant)
        check_parameters(req.route_params, req.params)
        return Call(flow, caller, req, edge)


def _require_rate(edge: EdgeFlow, caller: str) -> None:
    """Raise TooManyRequestsError where a caller asks too often."""
    if wait := edge.limiter.wait_of(caller):
        raise TooManyRequestsError(wait)


async def _answer[F](call: Call[F], handler: Handler[F], discloses: Disclosure | None) -> Reply:
    """Return the handler's reply, after the record of the disclosure."""
    if discloses is None:
        return await handler(call)
    log, parameters = call.edge.log, call.request.route_params
    await record_question(log, discloses, parameters.get("tenant"), call.caller)
    reply = await handler(call)
    if not reply.is_logged:
        tenant = parameters.get("tenant", reply.tenant)
        await record_answer(log, discloses, tenant, call.caller, parameters, reply.resource)
    return reply


def correlation_id(headers: Mapping[str, str]) -> str:
    """Return the trace that the request belongs to (W3C Trace Context), or a new trace."""
    found = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
    return found[1] if found else uuid.uuid4().hex


def _encode(reply: Reply) -> func.HttpResponse:
    content = reply.content if reply.content is not None else msgspec.json.encode(reply.body)
    headers = {"Cache-Control": "no-store", **reply.headers}
    if reply.status == 204:
        return func.HttpResponse(status_code=204, headers=headers)
    return func.HttpResponse(
        content, status_code=reply.status, headers=headers, mimetype=reply.content_type
    )
