"""The endpoint for Event Grid: ``POST /runtime/webhooks/blobs?functionName=...&code=...``.

The endpoint belongs to the blob extension. The system key ``blobs_extension`` or the master key
opens the endpoint. Sources (learn.microsoft.com): "Tutorial: Trigger Azure Functions on blob
containers using an event subscription" for the address and the key, "Webhook event delivery" and
"Event Grid event schema" for the handshake and the events.
"""

import logging
from collections.abc import Mapping

import msgspec
from starlette.responses import JSONResponse, PlainTextResponse, Response

from infra.local.host.events import CREATED, BlobEvents, EventGridEvent

log = logging.getLogger("host.events")

PATH = "runtime/webhooks/blobs"
SYSTEM_KEY = "blobs_extension"
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
TYPE_HEADER = "aeg-event-type"
# "Event Grid quotas and limits": a batch is at most 1 MB.
LIMIT = 1024 * 1024


_EVENTS = msgspec.json.Decoder(list[EventGridEvent])


class Webhook:
    """Take the events for the blob functions of one app whose source is Event Grid."""

    def __init__(self, functions: Mapping[str, BlobEvents]) -> None:
        self._functions = {f"Host.Functions.{name}".lower(): one for name, one in functions.items()}

    async def answer(
        self, method: str, function: str | None, headers: Mapping[str, str], body: bytes
    ) -> Response:
        """Return the response to a request with a right key. A refusal names the fault."""
        events = self._functions.get((function or "").lower())
        checks = (
            # The handshake of CloudEvents uses OPTIONS.
            (method != "POST", 405, f"{method}: only POST, with the Event Grid event schema"),
            (function is None, 400, "the parameter functionName is missing"),
            (events is None, 404, f"{function} is no blob function whose source is EventGrid"),
            (len(body) > LIMIT, 413, f"more than {LIMIT} bytes of events"),
            (
                "cloudevents" in headers.get("content-type", ""),
                415,
                "CloudEvents: use the Event Grid event schema",
            ),
        )
        for wrong, status, why in checks:
            if wrong:
                return _refused(status, why)
        try:
            given = _EVENTS.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _refused(400, f"no list of events in the Event Grid event schema: {error}")
        match headers.get(TYPE_HEADER):
            case "SubscriptionValidation":
                return _validated(given)
            case "Notification":
                return await _accepted(self._functions[str(function).lower()], given)
            case kind:
                return _refused(400, f"the header {TYPE_HEADER} is {kind or 'missing'}")


async def _accepted(events: BlobEvents, given: list[EventGridEvent]) -> Response:
    others = sorted({event.event_type for event in given} - {CREATED})
    if others:
        return _refused(400, f"events of type {', '.join(others)}: only {CREATED}")
    for event in given:
        try:
            await events.accept(event)
        except msgspec.ValidationError as error:
            return _refused(400, f"the data of event {event.id}: {error}")
    return Response(status_code=200)


def _validated(given: list[EventGridEvent]) -> Response:
    """Prove the ownership of the endpoint: return the validation code of the one event."""
    code = None
    if len(given) == 1 and given[0].event_type == VALIDATION and isinstance(given[0].data, dict):
        code = given[0].data.get("validationCode")
    if not isinstance(code, str):
        return _refused(400, f"not one {VALIDATION} with a validationCode")
    return JSONResponse({"validationResponse": code})


def _refused(status: int, why: str) -> Response:
    log.warning("refused events: %s", why)
    return PlainTextResponse(f"Refused: {why}.", status)
