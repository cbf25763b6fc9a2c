"""Access by a support engineer, under a consent grant of the tenant."""

from typing import Literal

import azure.functions as func

from functions.edge.bodies import Link, RequestBody
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import RecordedByFlow
from functions.edge.http import HttpRoutes
from functions.edge.operations import Raw
from shared.composition.accesses import AccessesFlow
from shared.identity.rules import ROLES
from shared.messages.contracts import Identifier, Text

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, AccessesFlow)

# A browser saves the file, and neither guesses a type nor runs what the file holds: Fetch section
# 3.5, RFC 6266 section 4.2, Content Security Policy Level 3 section 6.3.2.
_AS_A_FILE = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class AccessRequest(RequestBody, frozen=True):
    """Ask to do `operation` to an asset, for the purpose and ticket that the tenant agreed to."""

    asset_id: Identifier
    operation: Literal["read"]
    purpose: Text
    ticket: Text


# Every role reaches the decision, so that the log records an attempt without the right role too.
# People of another tenant do not: they would write into a log that is not theirs.
@http.endpoint(
    "POST",
    "tenants/{tenant}/accesses",
    discloses=RecordedByFlow("every attempt, by the decision"),
    roles=ROLES,
    body=AccessRequest,
    replies={200: Raw(), 303: Link},
)
async def access_asset(call: Call[AccessesFlow]) -> Reply:
    """Hand an asset's bytes to an engineer under a live grant; every attempt is recorded.

    The answer has up to 4 MiB; a larger asset is answered with a redirect to a link of some
    minutes.
    """
    from shared.accesses.rules import Attempt

    request = call.read(AccessRequest)
    attempt = Attempt(
        tenant=call.tenant,
        asset=request.asset_id,
        operation=request.operation,
        purpose=request.purpose,
        ticket=request.ticket,
        client_address=call.client_address,
    )
    given = await call.flow.accesses.attempt(attempt, call.caller)
    headers = {"Vouchsafe-Log-Entry": given.entry, "Vouchsafe-Consent-Grant": given.grant}
    if given.link is not None:
        return Reply(303, Link(location=given.link), {**headers, "Location": given.link})
    return Reply(200, None, headers | _AS_A_FILE, given.content, given.media_type)
