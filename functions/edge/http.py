"""The one way in for HTTP: caller, input and errors of every endpoint.

Errors are RFC 9457 problems with a stable `type`, a `title`, a `detail` and a `remedy`.
"""

import hashlib
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

import azure.functions as func
import msgspec

from functions.edge.operations import OPERATIONS, Answer, Endpoint, Operation, Parameter, Raw
from shared import context
from shared.composition import App, app
from shared.errors import (
    IntegrityError,
    InvalidInputError,
    MalformedInputError,
    PreconditionFailedError,
    PreconditionRequiredError,
    RefusalError,
    RowConflictError,
    UnavailableError,
    kind_and_place,
)

if TYPE_CHECKING:
    from shared.identity import Caller

PROBLEM = "application/problem+json"
_TYPE = "urn:vouchsafe:problem:"
_MAX_PAGE = 1000
_MAX_IDEMPOTENCY_KEY = 255
# Neither all zeros nor the version ff is valid (W3C Trace Context, section 3.2.2).
_TRACE_PARENT = re.compile("(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

logger = logging.getLogger("vouchsafe.http")


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answers: a JSON `body`, or raw `content` of `content_type`."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a known caller."""

    app: App
    caller: "Caller"
    request: func.HttpRequest

    @property
    def tenant(self) -> str:
        """The tenant that the path names."""
        return self.param("tenant")

    def param(self, name: str) -> str:
        """A parameter of the route."""
        return str(self.request.route_params[name])

    def read[T](self, kind: type[T]) -> T:
        """The JSON body as `kind`. Raises MalformedInputError naming the field that is wrong."""
        body = self.request.get_body()
        if not body:
            raise MalformedInputError(
                "body-missing", "The request has no body.", "Send a JSON object."
            )
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedInputError(
                "body-invalid", f"The body cannot be read: {error}.", "Mend it and send it again."
            ) from error

    def query[T](self, kind: type[T]) -> T:
        """The parameters of the query as `kind`; one that is empty counts as left out.

        Raises InvalidInputError naming the one that is wrong.
        """
        given = {name: value for name, value in self.request.params.items() if value}
        try:
            return msgspec.convert(given, kind)
        except msgspec.ValidationError as error:
            raise InvalidInputError(
                "query-invalid",
                f"A parameter of the query is wrong: {error}.",
                "Mend it, or leave it out.",
            ) from error

    @property
    def page_size(self) -> int:
        """Rows a page, from `?limit=`: 100 unless it says otherwise, at most 1,000."""
        text = self.request.params.get("limit", "100")
        if not re.fullmatch("[1-9][0-9]{0,3}", text) or int(text) > _MAX_PAGE:
            raise InvalidInputError(
                "limit-invalid",
                "The limit is not a whole number that is allowed.",
                f"Pass a limit from 1 to {_MAX_PAGE}, or leave it out for 100.",
            )
        return int(text)

    def choice[T: str](self, name: str, choices: Sequence[T]) -> T:
        """A parameter of the query that has to be one of `choices`; the first if it is left out.

        Raises InvalidInputError.
        """
        given = self.request.params.get(name) or choices[0]
        for choice in choices:
            if choice == given:
                return choice
        raise InvalidInputError(
            "choice-unknown",
            f"The parameter `{name}` of the query is none that there is.",
            f"Pass one of: {', '.join(choices)}.",
        )

    @property
    def client_address(self) -> str | None:
        """The caller's address; see the function of that name."""
        return client_address(self.request.headers)

    @property
    def continuation(self) -> str | None:
        """Where to read on, from `?continuation=`."""
        return self.request.params.get("continuation") or None

    async def identifier(self, scope: str) -> str:
        """The id for what this POST creates: the same for the same Idempotency-Key.

        Source: draft-ietf-httpapi-idempotency-key-header. Raises InvalidInputError when the key
        was used for another request.
        """
        given = self.request.headers.get("Idempotency-Key")
        if given is None:
            return self.app.new_id()
        if not 0 < len(given) <= _MAX_IDEMPOTENCY_KEY:
            raise InvalidInputError(
                "idempotency-key-invalid",
                "The Idempotency-Key is empty or too long.",
                f"Use 1 to {_MAX_IDEMPOTENCY_KEY} characters, a UUID for example.",
            )
        fingerprint = hashlib.sha256(self.request.get_body()).hexdigest()
        reservations = self.app.reservations
        return await reservations.reserve(scope, self.caller.id, given, fingerprint)

    async def record(self, action: str, resource: str) -> None:
        """Record in the tenant's log what the answer gives away, before it is given.

        `resource` names what was found, and nothing that the caller only claims. Raises
        UnavailableError where the entry cannot be kept: there is no answer then.
        """
        await self.app.accesslog.record_answer(self.tenant, self.caller, action, resource)

    def require_match(self, etag: str) -> None:
        """Hold a transition to the state that the caller has seen (RFC 9110 section 13.1.1)."""
        given = self.request.headers.get("If-Match")
        if given is None:
            raise PreconditionRequiredError(
                "if-match-missing",
                "This transition needs the ETag of the state that you have seen.",
                "Read the resource and send its ETag as If-Match.",
            )
        if given.strip() != "*" and etag_header(etag) not in given:
            raise PreconditionFailedError(
                "if-match-failed",
                "The resource has changed since you read it.",
                "Read it again, and decide again.",
            )


def client_address(headers: Mapping[str, str]) -> str | None:
    """The caller's address, as the front end that Azure puts before the app reports it.

    It is the last of X-Forwarded-For, there with its port: those before it are what the client
    itself claims. None where that is no address.
    """
    forwarded = headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    for host in (forwarded, forwarded.rpartition(":")[0].strip("[]")):
        with suppress(ValueError):
            # What stands behind the sign is the name of an interface, or whatever a client wrote.
            return str(ip_address(host.partition("%")[0]))
    return None


def correlation_id(headers: Mapping[str, str]) -> str:
    """The trace that the caller says the request belongs to (W3C Trace Context), or a new one."""
    found = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
    return found[1] if found else uuid.uuid4().hex


def etag_header(etag: str) -> str:
    """A strong ETag made of the one that Table Storage gave, which is a weak one."""
    return f'"{hashlib.sha256(etag.encode()).hexdigest()[:32]}"'


type Handler = Callable[[Call], Awaitable[Reply]]


def endpoint(
    roles: Collection[str] | None,
    *,
    of_any_tenant: bool = False,
    body: type | Raw | None = None,
    replies: Mapping[int, Answer] | None = None,
    query: tuple[Parameter, ...] = (),
    idempotent: bool = False,
    conditional: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Make an endpoint of a handler: check the token, the role and the tenant in the path.

    `roles` are those of which the caller needs one; None is for everybody, without a token.
    `of_any_tenant` leaves it to the handler to turn away other tenants' people. The others say
    what the endpoint takes and answers, as `Operation` has it.
    """

    def decorate(handler: Handler) -> Endpoint:
        async def run(req: func.HttpRequest) -> func.HttpResponse:
            origin = context.Context(correlation_id(req.headers), client_address(req.headers))
            try:
                with context.during(origin):
                    reply = await handler(await _admit(req, roles, of_any_tenant))
            except RefusalError as error:
                return _problem(error.status, error.code, error.title, error.detail, error.remedy)
            except UnavailableError as error:
                logger.warning("%s is unavailable", error.service)
                return _unavailable(error.service)
            except IntegrityError as error:
                logger.error("%s", error)  # noqa: TRY400 - its text is ours
                return _problem(
                    500,
                    "log-damaged",
                    "Log damaged",
                    "The access log was changed past this service and does not add up any more.",
                    error.remedy,
                )
            except RowConflictError:
                return _problem(
                    409,
                    "state-changed",
                    "State changed",
                    "Somebody else changed the same thing at the same time.",
                    "Read it again and repeat the request.",
                )
            except Exception as error:  # noqa: BLE001 - the last resort, so that nothing leaks
                logger.error("unforeseen %s", kind_and_place(error))  # noqa: TRY400 - see there
                return _problem(
                    500,
                    "internal-error",
                    "Internal error",
                    "The request failed for a reason that was not foreseen; it has been logged.",
                    "Try again; if it fails again, report the time of the request.",
                )
            return _encode(reply)

        run.__name__ = handler.__name__
        run.__doc__ = handler.__doc__
        OPERATIONS[run] = Operation(roles, body, replies or {}, query, idempotent, conditional)
        return run

    return decorate


async def _admit(req: func.HttpRequest, roles: Collection[str] | None, of_any_tenant: bool) -> Call:
    from shared.identity import ANONYMOUS, permit

    current = app()
    if roles is None:
        return Call(current, ANONYMOUS, req)
    caller = await current.tokens.caller(req.headers.get("Authorization"))
    tenant = req.route_params.get("tenant")
    permit(caller, roles, None if of_any_tenant else tenant)
    if tenant is not None:
        await current.tenants.require(tenant)
    return Call(current, caller, req)


def _encode(reply: Reply) -> func.HttpResponse:
    content = reply.content if reply.content is not None else msgspec.json.encode(reply.body)
    headers = {"Cache-Control": "no-store", **reply.headers}
    if reply.status == 204:
        return func.HttpResponse(status_code=204, headers=headers)
    return func.HttpResponse(
        content, status_code=reply.status, headers=headers, mimetype=reply.content_type
    )


def _unavailable(service: str) -> func.HttpResponse:
    return _problem(
        503,
        "service-unavailable",
        "Service unavailable",
        f"A service that this needs does not answer: {service}.",
        "Try again in some seconds.",
        {"Retry-After": "5"},
    )


def _problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    remedy: str,
    headers: Mapping[str, str] | None = None,
) -> func.HttpResponse:
    body = {
        "type": _TYPE + code,
        "title": title,
        "status": status,
        "detail": detail,
        "remedy": remedy,
    }
    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return func.HttpResponse(
        msgspec.json.encode(body),
        status_code=status,
        headers={"Cache-Control": "no-store", **extra, **(headers or {})},
        mimetype=PROBLEM,
    )
