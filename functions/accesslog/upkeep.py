"""Looking after the logs: witnesses, exports, redactions, and the rounds of the timers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import azure.functions as func

from functions.accesslog.bodies import RedactionRequest, WitnessList, WitnessRequest
from functions.accesslog.entries import FILTERS, READING, export_of, index_of
from functions.accesslog.proofs import size_of
from functions.edge.bodies import Link
from functions.edge.http import Call, Reply, endpoint
from functions.edge.operations import Parameter, Raw
from shared.accesslog.reading.filters import filter_of
from shared.accesslog.reading.formats import FORMATS
from shared.accesslog.reading.views import Listed, Witness
from shared.composition import App, app
from shared.errors import MalformedInputError, TooLargeError
from shared.identity.rules import TENANT_ADMIN, TENANT_ROLES, VENDOR_DPO

blueprint = func.Blueprint()

_MOST_SIGNATURE_BYTES = 64 * 1024


@blueprint.route("tenants/{tenant}/log/export", methods=["GET"])
@endpoint(roles=READING, replies={303: Link})
async def export_log(call: Call) -> Reply:
    """The whole log in one file that `verify-log` checks offline; recorded, whoever asks.

    Of a damaged log, all that is there, with what is missing marked as such. Answers with a link
    that works for minutes.
    """
    made = await call.app.log_exports.whole(call.tenant, call.caller)
    return Reply(303, {"location": made.url}, {"Location": made.url})


@blueprint.route("tenants/{tenant}/log/entries/export", methods=["GET"])
@endpoint(
    roles=READING,
    replies={303: Link},
    query=(*FILTERS, Parameter("format", "`csv` or `ndjson`.")),
)
async def export_entries(call: Call) -> Reply:
    """The entries that the filters let through as a file, newest first; recorded, whoever asks.

    No cell of the CSV is taken for a formula. Answers with a link that works for minutes.
    """
    await call.app.accesslog.record_disclosure(call.tenant, call.caller, "log/entries")
    wanted = filter_of(call.request.params)
    return await export_of(call, wanted, call.choice("format", FORMATS))


@blueprint.route("tenants/{tenant}/log/entries/{entry}/redaction", methods=["PUT"])
@endpoint(roles={TENANT_ADMIN, VENDOR_DPO}, body=RedactionRequest, replies={200: Listed})
async def redact_entry(call: Call) -> Reply:
    """Erase an entry's payload for good; its leaf hash stays, so every proof still verifies.

    It is recorded who did that, when and why. `entry` is the index of an entry, or the id of its
    event.
    """
    await call.app.accesslog.record_disclosure(call.tenant, call.caller, "log/entries/redaction")
    request = call.read(RedactionRequest)
    index = await index_of(call)
    left = await call.app.redactions.redact(
        call.tenant, index, request.reason, request.ticket, call.caller
    )
    return Reply(200, left)


@blueprint.route("tenants/{tenant}/log/witnesses", methods=["POST"])
@endpoint(roles={TENANT_ADMIN}, body=WitnessRequest, replies={201: Witness})
async def add_witness(call: Call) -> Reply:
    """Accept the cosignatures of a witness of the tenant's log (C2SP); the same again is one."""
    witness = await call.app.witnesses.add(call.tenant, call.read(WitnessRequest).vkey, call.caller)
    location = f"/api/tenants/{call.tenant}/log/witnesses/{witness.id}"
    return Reply(201, witness, {"Location": location})


@blueprint.route("tenants/{tenant}/log/witnesses", methods=["GET"])
@endpoint(roles=READING, replies={200: WitnessList})
async def list_witnesses(call: Call) -> Reply:
    """The witnesses of the tenant's log."""
    await call.app.accesslog.record_disclosure(call.tenant, call.caller, "log/witnesses")
    return Reply(200, {"witnesses": await call.app.witnesses.all(call.tenant)})


@blueprint.route("tenants/{tenant}/log/witnesses/{witness}", methods=["DELETE"])
@endpoint(roles={TENANT_ADMIN}, replies={204: None})
async def remove_witness(call: Call) -> Reply:
    """Accept no more cosignatures of a witness; those that it gave are kept."""
    await call.app.witnesses.remove(call.tenant, call.param("witness"), call.caller)
    return Reply(204)


@blueprint.route("tenants/{tenant}/log/checkpoints/{size}/cosignatures", methods=["POST"])
@endpoint(roles=TENANT_ROLES, body=Raw(("text/plain",)), replies={200: Raw(("text/plain",))})
async def cosign_checkpoint(call: Call) -> Reply:
    """Keep a witness's cosignature of a checkpoint, and answer with the checkpoint and all of its.

    The body is what the witness answered to add-checkpoint: signature lines of a note (C2SP).
    """
    body = call.request.get_body()
    if not body:
        raise MalformedInputError(
            "body-missing", "The request has no body.", "Send the witness's signature lines."
        )
    if len(body) > _MOST_SIGNATURE_BYTES:
        raise TooLargeError(
            "cosignature-too-large",
            f"Signature lines are at most {_MOST_SIGNATURE_BYTES:,} bytes.",
            "Send nothing but the signature lines.",
        )
    size = size_of(call.param("size"), "size")
    answer = body.decode(errors="replace")
    cosigned = await call.app.witnesses.cosign(call.tenant, size, answer)
    return Reply(200, None, content=cosigned.note.encode(), content_type="text/plain")


@blueprint.timer_trigger("timer", schedule="0 */5 * * * *")
async def publish_checkpoints(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Publish, every five minutes, a checkpoint of each log that has grown."""
    from shared.accesslog.integrity.rounds import publish_all

    current = app()
    await publish_all(_tenants(current), current.checkpoints, current.log_watch)


@blueprint.timer_trigger("timer", schedule="0 0 3 * * *")
async def watch_logs(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Verify, every day, what is new in each log, and all of it on the first of the month."""
    from shared.accesslog.integrity.rounds import watch_all

    current = app()
    whole = datetime.now(UTC).day == 1
    await watch_all(_tenants(current), current.log_watch, whole=whole)
    await current.log_exports.tidy()


async def _tenants(current: App) -> AsyncIterator[str]:
    async for tenant in current.tenants.every():
        yield tenant.id
