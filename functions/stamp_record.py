"""The stamp's own record: acts of the vendor's people that concern no tenant."""

import azure.functions as func

from functions.edge.bodies import View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from shared.composition.failed_messages import FailedMessagesFlow
from shared.identity.rules import VENDOR_DPO, VENDOR_OFFICER
from shared.stamp_record import StampAct

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, FailedMessagesFlow)


class StampRecordPage(View, frozen=True):
    """A page of acts, the oldest first, and the token of the next page."""

    acts: list[StampAct]
    continuation: str | None


@http.endpoint(
    "GET",
    "stamp-record",
    discloses=NOTHING,
    roles={VENDOR_OFFICER, VENDOR_DPO},
    replies={200: StampRecordPage},
    query=PAGING,
)
async def read_stamp_record(call: Call[FailedMessagesFlow]) -> Reply:
    """Read the acts that no tenant's access log has, such as a discarded message of no tenant."""
    acts, continuation = await call.flow.stamp_record.page(
        size=call.page_size, continuation=call.continuation
    )
    return Reply(200, StampRecordPage(acts=list(acts), continuation=continuation))
