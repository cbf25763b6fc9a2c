"""The links of mails by which a contact turns a kind of notice off.

Source: RFC 8058, "Signaling One-Click Functionality for List Email Headers".
"""

import azure.functions as func

from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING, RecordedByFlow
from functions.edge.http import HttpRoutes
from functions.edge.operations import Raw
from shared.composition.notices import NoticesFlow

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, NoticesFlow)

# The same for every link, right or wrong, and without effect: mail programs follow links unasked
# (RFC 8058 section 3.1).
_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Turn notices off</title></head>
<body><form method="post"><button>Turn these notices off</button></form></body></html>
"""


@http.endpoint(
    "GET",
    "notice-refusals/{token}",
    discloses=NOTHING,
    roles=None,
    replies={200: Raw(("text/html",))},
)
async def show_notice_refusal(_call: Call[NoticesFlow]) -> Reply:
    """Show a button that turns the notices off; opening the link changes nothing."""
    return Reply(200, content=_PAGE, content_type="text/html")


@http.endpoint(
    "POST",
    "notice-refusals/{token}",
    discloses=RecordedByFlow("an entry in the tenant's log for the change of the contact"),
    roles=None,
    body=Raw(("application/x-www-form-urlencoded", "multipart/form-data")),
    replies={204: None},
)
async def refuse_notices(call: Call[NoticesFlow]) -> Reply:
    """Turn a kind of notice off for the contact of the link; breach and break glass stay."""
    await call.flow.contacts.refuse(call.param("token"))
    return Reply(204)
