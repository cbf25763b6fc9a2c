"""The access log: entries are recorded, listed and proved."""

from collections.abc import Mapping, Sequence

import azure.functions as func

from functions.accesslog.bodies import EntryPage, EntryProofView
from functions.edge.batches import Refused, batch_consumer
from functions.edge.bodies import Link
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import LogRead
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, Parameter, Raw
from shared.accesslog.reading.filters import EntryFilter, filter_of
from shared.accesslog.reading.formats import Format
from shared.catalogue import ACCESS_EVENTS_QUEUE
from shared.composition.accesslog import AccessLogFlow
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO
from shared.messages.cloudevents import SOURCE
from shared.messages.contracts import AccessRecorded

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, AccessLogFlow)

READING = frozenset({*TENANT_ROLES, VENDOR_DPO})
"""The readers of a log: the tenant's own people, and the vendor's DPO, whose reading is recorded.
"""

FILTERS = (
    Parameter("from", "The earliest time, in RFC 3339."),
    Parameter("to", "The time before which all must lie, in RFC 3339."),
    Parameter("actor", "The id of an actor."),
    Parameter("action", "An action, such as `asset.read`."),
    Parameter("grant", "The id of a consent grant."),
    Parameter("outcome", "`allowed`, `denied` or `failed`."),
    Parameter("resource", "What the resource begins with."),
)
_SOURCE = Parameter("source", "The source of the event whose id `entry` is; ours if left out.")
_PROOF_FORMAT = Parameter("format", "`json`, or `tlog-proof` for a C2SP file that stands alone.")
ACCEPTED: Mapping[str, Format] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
# No id of the app is as short, and all digits.
_LONGEST_INDEX = 15


@blueprint.service_bus_queue_trigger(
    "messages",
    queue_name=ACCESS_EVENTS_QUEUE.name,
    connection="SERVICE_BUS",
    cardinality=func.Cardinality.MANY,
)
@batch_consumer(AccessLogFlow, ACCESS_EVENTS_QUEUE, AccessRecorded)
async def record_accesses(
    flow: AccessLogFlow, deliveries: Sequence[Delivery[AccessLogFlow, AccessRecorded]]
) -> Sequence[Refused[AccessLogFlow, AccessRecorded]]:
    """Add the accesses that services report to the tenants' logs, in the queue's order."""
    from shared.accesslog import Recorded
    from shared.accesslog.arrivals import Arrival

    arrivals = [Arrival(one.received.sequence_number, Recorded.of(one.event)) for one in deliveries]
    reasons = await flow.arrivals.record(arrivals, deliveries[0].batch)
    return [(one, reason) for one, reason in zip(deliveries, reasons, strict=True) if reason]


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/entries",
    discloses=LogRead("log/entries"),
    roles=READING,
    replies={200: EntryPage, 303: Link},
    query=(*FILTERS, *PAGING),
)
async def list_entries(call: Call[AccessLogFlow]) -> Reply:
    """List the tenant's entries, newest first: actor, time, action, purpose.

    A page may have fewer entries than the limit and still have a successor. A client that accepts
    `text/csv` or `application/x-ndjson` gets a link to a file of every entry.
    """
    wanted = filter_of(call.request.params)
    accepted = call.request.headers.get("Accept", "")
    form = next((form for kind, form in ACCEPTED.items() if kind in accepted), None)
    if form is not None:
        return await export_of(call, wanted, form)
    entries, continuation = await call.flow.reading.page(
        call.tenant, wanted, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, {"entries": entries, "continuation": continuation})


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/entries/{entry}/proof",
    discloses=LogRead("log/entries/proof"),
    roles=READING,
    replies={200: (EntryProofView, Raw(("text/plain",)))},
    query=(_SOURCE, _PROOF_FORMAT),
)
async def prove_entry(call: Call[AccessLogFlow]) -> Reply:
    """Prove that an entry is in the log: the hash path to a signed checkpoint.

    `entry` is the index of an entry, or the id of the entry's event.
    """
    form = call.choice("format", ("json", "tlog-proof"))
    found = await call.flow.entry_proofs.prove(call.tenant, await index_of(call))
    if form == "json":
        return Reply(200, found.as_json())
    name = f"{call.tenant}-{found.index}.tlog-proof"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Reply(200, None, headers, found.as_file().encode(), "text/plain")


async def export_of(call: Call[AccessLogFlow], wanted: EntryFilter, form: Format) -> Reply:
    """Answer with a link to a file of the entries that `wanted` lets through."""
    made = await call.flow.exports.listing(call.tenant, wanted, form, call.caller)
    return Reply(303, {"location": made.url}, {"Location": made.url})


async def index_of(call: Call[AccessLogFlow]) -> int:
    """Return the index of the entry that the path names. Raises NotFoundError for no such entry."""
    given, source = call.param("entry"), call.request.params.get("source")
    if source is None and given.isascii() and given.isdigit() and len(given) <= _LONGEST_INDEX:
        return int(given)
    return await call.flow.entry_proofs.locate(call.tenant, source or SOURCE, given)
