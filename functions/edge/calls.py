"""The request of a known caller, and the reply."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

import azure.functions as func
import msgspec

from functions.edge.bodies import read_body
from functions.edge.etags import require_match
from shared.composition.edge import EdgeFlow
from shared.errors import InvalidInputError
from shared.idempotency import Reserved

if TYPE_CHECKING:
    from shared.identity import Caller

_MAX_PAGE = 1000
_IDEMPOTENCY_KEY = re.compile("[ -~]{1,255}")


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of an endpoint: a JSON `body`, or raw `content` of `content_type`.

    `is_logged` marks the answer of a command whose change is in the tenant's log already.
    `resource` names what the answer gives away, and `tenant` whose data, where the path does not;
    `resource` may be several things.
    """

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/json"
    is_logged: bool = False
    resource: str | tuple[str, ...] | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Call[F]:
    """The request of a known caller to an endpoint of the flow `F`."""

    flow: F
    caller: "Caller"
    request: func.HttpRequest
    edge: EdgeFlow

    @property
    def tenant(self) -> str:
        """The tenant that the path names."""
        return self.param("tenant")

    def param(self, name: str) -> str:
        """Return a parameter of the route."""
        return str(self.request.route_params[name])

    def read[T](self, kind: type[T]) -> T:
        """Read the JSON body as `kind`.

        Raises MalformedInputError that names the wrong field, and TooLargeError.
        """
        return read_body(self.request.get_body(), kind)

    def read_either[T, S](self, kind: type[T], other: type[S], member: str) -> T | S:
        """Read the JSON body as `other` where the body has `member`, and else as `kind`.

        Raises the errors of `read`.
        """
        try:
            # Not by msgspec, which reads no member of a body with a lone surrogate.
            body = json.loads(self.request.get_body())
        except (ValueError, RecursionError):
            body = None
        is_other = isinstance(body, dict) and member in body
        return self.read(other) if is_other else self.read(kind)

    def query[T](self, kind: type[T]) -> T:
        """Read the parameters of the query as `kind`; an empty parameter counts as left out.

        Raises InvalidInputError that names the wrong parameter.
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
        """The rows of a page, from `?limit=`: 100 where the query has no limit, at most 1,000."""
        text = self.request.params.get("limit", "100")
        if not re.fullmatch("[1-9][0-9]{0,3}", text) or int(text) > _MAX_PAGE:
            raise InvalidInputError(
                "limit-invalid",
                "The limit is not a whole number that is allowed.",
                f"Pass a limit from 1 to {_MAX_PAGE}, or leave it out for 100.",
            )
        return int(text)

    def choice[T: str](self, name: str, choices: Sequence[T]) -> T:
        """Read a parameter of the query that is one of `choices`; the first choice if left out.

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
        """The address of the client; see the function `client_address`."""
        return client_address(self.request.headers)

    @property
    def continuation(self) -> str | None:
        """The token of the page to read on from, from `?continuation=`."""
        return self.request.params.get("continuation") or None

    async def identifier(self, scope: str) -> str:
        """Return the id for what this POST creates; otherwise as `reserve`."""
        return (await self.reserve(scope)).id

    async def reserve(self, scope: str, *, keeps_body: bool = True) -> Reserved:
        """Reserve the id for what this POST creates: the same for the same Idempotency-Key.

        A hash of the body tells a reused key. `keeps_body` is False for a body with a name: who
        guesses the name could try the name on the hash. Source:
        draft-ietf-httpapi-idempotency-key-header. Raises InvalidInputError when the key was used
        for another request.
        """
        given = self.request.headers.get("Idempotency-Key")
        if given is None:
            return Reserved(self.edge.new_id(), is_repeated=False)
        if not _IDEMPOTENCY_KEY.fullmatch(given):
            raise InvalidInputError(
                "idempotency-key-invalid",
                "The Idempotency-Key is empty, too long, or not in ASCII.",
                "Use 1 to 255 printable characters of ASCII, a UUID for example.",
            )
        body = self.request.get_body() if keeps_body else b""
        fingerprint = hashlib.sha256(body).hexdigest()
        keys = self.edge.idempotency_keys
        return await keys.reserve(scope, self.caller.id, given, fingerprint)

    def require_match(self, etag: str, *, whatever: bool = False) -> None:
        """Hold a transition to the state that the caller has seen; see `etags.require_match`."""
        require_match(self.request.headers.get("If-Match"), etag, whatever=whatever)


def client_address(headers: Mapping[str, str]) -> str | None:
    """Return the client's address, as reported by Azure's front end.

    The front end appends the address, with a port, to X-Forwarded-For; the client itself claims the
    earlier addresses. None where the last part is no address.
    """
    forwarded = headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    for host in (forwarded, forwarded.rpartition(":")[0].strip("[]")):
        with suppress(ValueError):
            # Behind the percent sign stands the name of an interface, or the client's own words.
            return str(ip_address(host.partition("%")[0]))
    return None
