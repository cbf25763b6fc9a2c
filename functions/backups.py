"""Backup audits: daily, and when asked for."""

from datetime import date

import azure.functions as func

from functions.edge.bodies import View
from functions.edge.http import Call, Reply, endpoint
from functions.edge.operations import PAGING
from shared.backups.rules import Report, Summary
from shared.composition import app
from shared.errors import InvalidInputError
from shared.identity.rules import (
    VENDOR_DPO,
    VENDOR_IT_SUPERVISOR,
    VENDOR_OFFICER,
    VENDOR_SERVICE,
)

blueprint = func.Blueprint()


class BackupAuditPage(View, frozen=True):
    """The audits of a day, and what to pass to read on."""

    backup_audits: list[Summary]
    continuation: str | None


_AUDITING = {VENDOR_IT_SUPERVISOR, VENDOR_DPO, VENDOR_SERVICE}
_READING = {*_AUDITING, VENDOR_OFFICER}


@blueprint.timer_trigger("timer", schedule="0 0 6 * * *")
async def audit_backups(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Audit the backups every day at 06:00 UTC."""
    current = app()
    await current.backups.audit(current.new_id())


@blueprint.route("backup-audits", methods=["POST"])
@endpoint(roles=_AUDITING, replies={201: Report}, idempotent=True)
async def request_backup_audit(call: Call) -> Reply:
    """Audit the backups now, and answer with the report."""
    report = await call.app.backups.audit(await call.identifier("backup-audits"))
    return Reply(201, report, {"Location": f"/api/backup-audits/{report.day}/{report.id}"})


@blueprint.route("backup-audits/{day}", methods=["GET"])
@endpoint(roles=_READING, replies={200: BackupAuditPage}, query=PAGING)
async def list_backup_audits(call: Call) -> Reply:
    """The audits of a day, oldest first."""
    audits, continuation = await call.app.backups.page(
        _day(call), size=call.page_size, continuation=call.continuation
    )
    return Reply(200, BackupAuditPage(backup_audits=list(audits), continuation=continuation))


@blueprint.route("backup-audits/{day}/{audit}", methods=["GET"])
@endpoint(roles=_READING, replies={200: Report})
async def read_backup_audit(call: Call) -> Reply:
    """The report of one audit."""
    return Reply(200, await call.app.backups.find(_day(call), call.param("audit")))


def _day(call: Call) -> str:
    day = call.param("day")
    try:
        if date.fromisoformat(day).isoformat() == day:
            return day
    except ValueError:
        pass
    raise InvalidInputError(
        "day-invalid",
        "The day in the path is not a date.",
        "Write it as YYYY-MM-DD, for example 2026-11-23.",
    )
