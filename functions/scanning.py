"""Scanning: results that come from outside, and the watch over the scanner."""

import azure.functions as func

from functions.edge.queues import raw_consumer
from shared import composition
from shared.catalogue import SCAN_RESULTS_QUEUE
from shared.composition.scanning import ScanningFlow
from shared.messages import Received

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=SCAN_RESULTS_QUEUE.name, connection="SERVICE_BUS"
)
@raw_consumer(ScanningFlow, SCAN_RESULTS_QUEUE)
async def take_scan_result(flow: ScanningFlow, received: Received) -> None:
    """Keep a result of Defender for Storage, and queue the upload again."""
    await flow.scan_results.take(received.body)


@blueprint.timer_trigger("timer", schedule="0 */15 * * * *")
async def watch_scanner(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Report, every quarter of an hour, a scanner that is down, outdated or silent."""
    flow = composition.flow(ScanningFlow)
    await flow.scanner_watch.check()
    await flow.scan_results.report_missing()
