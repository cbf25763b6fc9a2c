"""The access log: what is recorded, and what the tenant sees of it."""

from collections.abc import Mapping, Sequence

import azure.functions as func

from functions.accesslog.bodies import EntryPage, EntryProofView
from functions.edge.batches import Refused, batch_consumer
from functions.edge.bodies import Link
from functions.edge.http import Call, Reply, endpoint
from functions.edge.operations import PAGING, Parameter, Raw
from functions.edge.queues import Delivery
from shared.accesslog.reading.filters import EntryFilter, filter_of
from shared.accesslog.reading.formats import Format
from shared.composition import App
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO
from shared.messages import queues
from shared.messages.cloudevents import SOURCE
from shared.messages.contracts import AccessRecorded

blueprint = func.Blueprint()

READING = frozenset({*TENANT_ROLES, VENDOR_DPO})
"""Who may read a log: the tenant's own people, and the vendor's DPO, whose reading is recorded."""

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
# No id of ours is that short and all digits.
_LONGEST_INDEX = 15


@blueprint.service_bus_queue_trigger(
    "messages",
    queue_name=queues.ACCESS_EVENTS,
    connection="SERVICE_BUS",
    cardinality=func.Cardinality.MANY,
)
@batch_consumer(queues.ACCESS_EVENTS, AccessRecorded)
async def record_accesses(
    app: App, deliveries: Sequence[Delivery[AccessRecorded]]
) -> Sequence[Refused[AccessRecorded]]:
    """Add what other services report to their tenants' logs, in the queue's order."""
    from shared.accesslog import Recorded
    from shared.accesslog.arrivals import Arrival

    arrivals = [Arrival(one.received.sequence_number, Recorded.of(one.event)) for one in deliveries]
    reasons = await app.arrivals.record(arrivals, deliveries[0].batch)
    return [(one, reason) for one, reason in zip(deliveries, reasons, strict=True) if reason]


@blueprint.route("tenants/{tenant}/log/entries", methods=["GET"])
@endpoint(roles=READING, replies={200: EntryPage, 303: Link}, query=(*FILTERS, *PAGING))
async def list_entries(call: Call) -> Reply:
    """The tenant's entries, newest first: who, when, what, for what purpose.

    A page may have fewer entries than the limit and go on all the same. Who accepts `text/csv` or
    `application/x-ndjson` gets a link to all of them as a file.
    """
    await call.app.accesslog.record_disclosure(call.tenant, call.caller, "log/entries")
    wanted = filter_of(call.request.params)
    accepted = call.request.headers.get("Accept", "")
    form = next((form for kind, form in ACCEPTED.items() if kind in accepted), None)
    if form is not None:
        return await export_of(call, wanted, form)
    entries, continuation = await call.app.log_reading.page(
        call.tenant, wanted, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, {"entries": entries, "continuation": continuation})


@blueprint.route("tenants/{tenant}/log/entries/{entry}/proof", methods=["GET"])
@endpoint(
    roles=READING,
    replies={200: (EntryProofView, Raw(("text/plain",)))},
    query=(_SOURCE, _PROOF_FORMAT),
)
async def prove_entry(call: Call) -> Reply:
    """The proof that an entry is in the log: its hash path to a signed checkpoint.

    `entry` is the index of an entry, or the id of its event.
    """
    await call.app.accesslog.record_disclosure(call.tenant, call.caller, "log/entries/proof")
    form = call.choice("format", ("json", "tlog-proof"))
    found = await call.app.entry_proofs.prove(call.tenant, await index_of(call))
    if form == "json":
        return Reply(200, found.as_json())
    name = f"{call.tenant}-{found.index}.tlog-proof"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Reply(200, None, headers, found.as_file().encode(), "text/plain")


async def export_of(call: Call, wanted: EntryFilter, form: Format) -> Reply:
    """Answer with a link to the entries that `wanted` lets through as a file."""
    made = await call.app.log_exports.listing(call.tenant, wanted, form, call.caller)
    return Reply(303, {"location": made.url}, {"Location": made.url})


async def index_of(call: Call) -> int:
    """The index of the entry that the path names. Raises NotFoundError if there is none."""
    given, source = call.param("entry"), call.request.params.get("source")
    if source is None and given.isascii() and given.isdigit() and len(given) <= _LONGEST_INDEX:
        return int(given)
    return await call.app.entry_proofs.locate(call.tenant, source or SOURCE, given)
