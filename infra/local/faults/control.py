"""The control endpoint, `GET /plan` and `PUT /plan`, and a client for tests and people."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.local.errors import StackError
from infra.local.faults.rules import Plan, Rule, Rules


class PlanStatus(msgspec.Struct, frozen=True):
    """The plan in force, and the number of hits of each rule in the plan's order."""

    plan: Plan
    hits: list[int]


def create_app(rules: Rules) -> Starlette:
    """Build the control endpoint of these rules; an invalid plan gets status 400 and the reason."""

    def state() -> Response:
        body = msgspec.json.encode(PlanStatus(rules.plan, rules.hits))
        return Response(body, media_type="application/json")

    async def show(_: Request) -> Response:
        return state()

    async def change(request: Request) -> Response:
        try:
            rules.set(msgspec.json.decode(await request.body(), type=Plan))
        except msgspec.DecodeError as error:
            return Response(str(error), status_code=400, media_type="text/plain")
        return state()

    return Starlette(
        routes=[Route("/plan", show, methods=["GET"]), Route("/plan", change, methods=["PUT"])]
    )


class Faults:
    """A client of the proxy's control endpoint at `url`, for a different process."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def set(self, plan: Plan) -> None:
        """Put a plan in force. Raises StackError when the proxy refuses the plan."""
        self._answered(self._http.put("/plan", content=msgspec.json.encode(plan)))

    def clear(self) -> None:
        """Put an empty plan in force: every request passes."""
        self.set(Plan())

    def hits(self) -> list[int]:
        """Return the number of hits of each rule in the plan in force."""
        return self._answered(self._http.get("/plan")).hits

    @contextmanager
    def rules(self, *rules: Rule, seed: int = 0) -> Iterator[None]:
        """Put these rules in force for the duration of the context."""
        self.set(Plan(list(rules), seed))
        try:
            yield
        finally:
            self.clear()

    @staticmethod
    def _answered(answer: httpx.Response) -> PlanStatus:
        if answer.status_code != httpx.codes.OK:
            raise StackError(f"The fault proxy answered {answer.status_code}: {answer.text}")
        return msgspec.json.decode(answer.content, type=PlanStatus)
