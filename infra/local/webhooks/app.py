"""The hooks of the receiver: each has a secret, and notes what arrived."""

from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Receiver:
    """Hooks by name. A hook without a secret refuses every message."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self._answers: dict[str, int] = {}
        self._arrivals: dict[str, list[dict[str, Any]]] = {}

    async def prepare(self, request: Request) -> Response:
        """Set the secret of a hook, and optionally the status of its answers: PUT /hooks/{name}."""
        given = await request.json()
        name = request.path_params["name"]
        self._secrets[name] = str(given["secret"])
        self._answers[name] = int(given.get("status", 204))
        return Response(status_code=204)

    async def receive(self, request: Request) -> Response:
        """Take a message whose signature is right: POST /hooks/{name}."""
        name = request.path_params["name"]
        body, headers = await request.body(), dict(request.headers)
        try:
            data = Webhook(self._secrets[name]).verify(body, headers)
        except (KeyError, WebhookVerificationError):
            return Response("The signature is wrong.", status_code=401)
        arrival = {"id": headers["webhook-id"], "data": data, "status": self._answers[name]}
        self._arrivals.setdefault(name, []).append(arrival)
        return Response(status_code=self._answers[name])

    async def show(self, request: Request) -> Response:
        """Show what arrived, the oldest first: GET /hooks/{name}."""
        return JSONResponse(self._arrivals.get(request.path_params["name"], []))


def create_app() -> Starlette:
    """Make the receiver."""
    receiver = Receiver()
    return Starlette(
        routes=[
            Route("/hooks/{name}", receiver.prepare, methods=["PUT"]),
            Route("/hooks/{name}", receiver.receive, methods=["POST"]),
            Route("/hooks/{name}", receiver.show, methods=["GET"]),
        ]
    )
