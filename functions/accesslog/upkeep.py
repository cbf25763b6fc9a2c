"""Looking after the logs: witnesses, exports, redactions, and the rounds of the timers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import azure.functions as func

from functions.accesslog.bodies import RedactionRequest, WitnessList, WitnessRequest
from functions.accesslog.entries import FILTERS, READING, export_of, index_of
from functions.accesslog.proofs import size_of
from functions.edge.bodies import Link
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import Disclosed, LogRead, RecordedByFlow
from functions.edge.http import HttpRoutes
from functions.edge.operations import Parameter, Raw
from shared import composition
from shared.accesslog.proofs.witness import Witness
from shared.accesslog.reading.filters import filter_of
from shared.accesslog.reading.formats import FORMATS
from shared.accesslog.reading.views import Listed
from shared.composition.accesslog import AccessLogFlow
from shared.errors import MalformedInputError, TooLargeError
from shared.identity.rules import TENANT_ADMIN, TENANT_ROLES, VENDOR_DPO

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, AccessLogFlow)

_MAX_SIGNATURE_BYTES = 64 * 1024


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/export",
    discloses=RecordedByFlow("before the export is made"),
    roles=READING,
    replies={303: Link},
)
async def export_log(call: Call[AccessLogFlow]) -> Reply:
    """Export the whole log as a file that `verify-log` checks offline; every export is recorded.

    The file of a damaged log has every readable entry, and marks the missing entries. The answer is
    a link that works for minutes.
    """
    made = await call.flow.exports.whole(call.tenant, call.caller)
    return Reply(303, {"location": made.url}, {"Location": made.url})


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/entries/export",
    discloses=LogRead("log/entries"),
    roles=READING,
    replies={303: Link},
    query=(*FILTERS, Parameter("format", "`csv` or `ndjson`.")),
)
async def export_entries(call: Call[AccessLogFlow]) -> Reply:
    """Export the filtered entries as a file, newest first; every export is recorded.

    No spreadsheet takes a cell of the CSV for a formula. The answer is a link that works for
    minutes.
    """
    wanted = filter_of(call.request.params)
    return await export_of(call, wanted, call.choice("format", FORMATS))


@http.endpoint(
    "PUT",
    "tenants/{tenant}/log/entries/{entry}/redaction",
    discloses=LogRead("log/entries/redaction"),
    roles={TENANT_ADMIN, VENDOR_DPO},
    body=RedactionRequest,
    replies={200: Listed},
)
async def redact_entry(call: Call[AccessLogFlow]) -> Reply:
    """Erase an entry's payload for good; the leaf hash stays, so every proof still verifies.

    The log records the redaction with author, time and reason. `entry` is the index of an entry, or
    the id of the entry's event.
    """
    request = call.read(RedactionRequest)
    index = await index_of(call)
    left = await call.flow.redactions.redact(
        call.tenant, index, request.reason, request.ticket, call.caller
    )
    return Reply(200, left)


@http.endpoint(
    "POST",
    "tenants/{tenant}/log/witnesses",
    discloses=Disclosed("log.witness-viewed"),
    roles={TENANT_ADMIN},
    body=WitnessRequest,
    replies={201: Witness},
)
async def add_witness(call: Call[AccessLogFlow]) -> Reply:
    """Accept the cosignatures of a witness of the tenant's log (C2SP).

    The answer to a repeated request shows the known witness, and is recorded.
    """
    witness, is_new = await call.flow.witnesses.add(
        call.tenant, call.read(WitnessRequest).vkey, call.caller
    )
    resource = f"log/witnesses/{witness.id}"
    location = {"Location": f"/api/tenants/{call.tenant}/{resource}"}
    return Reply(201, witness, location, is_logged=is_new, resource=resource)


@http.endpoint(
    "GET",
    "tenants/{tenant}/log/witnesses",
    discloses=LogRead("log/witnesses"),
    roles=READING,
    replies={200: WitnessList},
)
async def list_witnesses(call: Call[AccessLogFlow]) -> Reply:
    """The witnesses of the tenant's log."""
    return Reply(200, {"witnesses": await call.flow.witnesses.all(call.tenant)})


@http.endpoint(
    "DELETE",
    "tenants/{tenant}/log/witnesses/{witness}",
    discloses=RecordedByFlow("with the change"),
    roles={TENANT_ADMIN},
    replies={204: None},
)
async def remove_witness(call: Call[AccessLogFlow]) -> Reply:
    """Accept no more cosignatures of a witness; earlier cosignatures are kept."""
    await call.flow.witnesses.remove(call.tenant, call.param("witness"), call.caller)
    return Reply(204)


@http.endpoint(
    "POST",
    "tenants/{tenant}/log/checkpoints/{size}/cosignatures",
    discloses=LogRead("log/checkpoints"),
    roles=TENANT_ROLES,
    body=Raw(("text/plain",)),
    replies={200: Raw(("text/plain",))},
)
async def cosign_checkpoint(call: Call[AccessLogFlow]) -> Reply:
    """Keep a witness's cosignature of a checkpoint; answer with the checkpoint and every
    cosignature.

    The body is the witness's answer to add-checkpoint: signature lines of a note (C2SP).
    """
    body = call.request.get_body()
    if not body:
        raise MalformedInputError(
            "body-missing", "The request has no body.", "Send the witness's signature lines."
        )
    if len(body) > _MAX_SIGNATURE_BYTES:
        raise TooLargeError(
            "cosignature-too-large",
            f"Signature lines are at most {_MAX_SIGNATURE_BYTES:,} bytes.",
            "Send nothing but the signature lines.",
        )
    size = size_of(call.param("size"), "size")
    answer = body.decode(errors="replace")
    cosigned = await call.flow.witnesses.cosign(call.tenant, size, answer)
    return Reply(200, None, content=cosigned.note.encode(), content_type="text/plain")


@blueprint.timer_trigger("timer", schedule="0 */5 * * * *")
async def publish_checkpoints(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Publish, every five minutes, a checkpoint of each log with new entries."""
    from shared.accesslog.integrity.rounds import publish_all

    flow = composition.flow(AccessLogFlow)
    await publish_all(_tenants(flow), flow.checkpoints, flow.watch)


@blueprint.timer_trigger("timer", schedule="0 0 3 * * *")
async def watch_logs(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Verify, every day, the new entries of each log; on the first of the month every entry."""
    from shared.accesslog.integrity.rounds import watch_all

    flow = composition.flow(AccessLogFlow)
    whole = datetime.now(UTC).day == 1
    await watch_all(_tenants(flow), flow.watch, whole=whole)
    await flow.exports.tidy()


async def _tenants(flow: AccessLogFlow) -> AsyncIterator[str]:
    async for tenant in flow.tenants.every():
        yield tenant.id
