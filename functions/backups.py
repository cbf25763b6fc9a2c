"""Backup audits: daily, and when asked for."""

from datetime import date

import azure.functions as func

from functions.edge.bodies import View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from shared import composition
from shared.backups.rules import Report, Summary
from shared.composition.backups import BackupsFlow
from shared.errors import InvalidInputError
from shared.identity.rules import (
    VENDOR_DPO,
    VENDOR_IT_SUPERVISOR,
    VENDOR_OFFICER,
    VENDOR_SERVICE,
)

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, BackupsFlow)


class BackupAuditPage(View, frozen=True):
    """A page of the audits of a day, and the token of the next page."""

    backup_audits: list[Summary]
    continuation: str | None


_AUDITING = {VENDOR_IT_SUPERVISOR, VENDOR_DPO, VENDOR_SERVICE}
_READING = {*_AUDITING, VENDOR_OFFICER}


@blueprint.timer_trigger("timer", schedule="0 0 6 * * *")
async def audit_backups(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Audit the backups every day at 06:00 UTC."""
    flow = composition.flow(BackupsFlow)
    await flow.audits.audit(flow.new_id())


@http.endpoint(
    "POST",
    "backup-audits",
    discloses=NOTHING,
    roles=_AUDITING,
    replies={201: Report},
    idempotent=True,
)
async def request_backup_audit(call: Call[BackupsFlow]) -> Reply:
    """Audit the backups now, and answer with the report."""
    report = await call.flow.audits.audit(await call.identifier("backup-audits"))
    return Reply(201, report, {"Location": f"/api/backup-audits/{report.day}/{report.id}"})


@http.endpoint(
    "GET",
    "backup-audits/{day}",
    discloses=NOTHING,
    roles=_READING,
    replies={200: BackupAuditPage},
    query=PAGING,
)
async def list_backup_audits(call: Call[BackupsFlow]) -> Reply:
    """The audits of a day, oldest first."""
    audits, continuation = await call.flow.audits.page(
        _day(call), size=call.page_size, continuation=call.continuation
    )
    return Reply(200, BackupAuditPage(backup_audits=list(audits), continuation=continuation))


@http.endpoint(
    "GET", "backup-audits/{day}/{audit}", discloses=NOTHING, roles=_READING, replies={200: Report}
)
async def read_backup_audit(call: Call[BackupsFlow]) -> Reply:
    """Read the report of an audit."""
    return Reply(200, await call.flow.audits.find(_day(call), call.param("audit")))


def _day(call: Call[BackupsFlow]) -> str:
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
