"""Scanning: results that come from outside, and the watch over the scanner."""

import azure.functions as func

from functions.edge.queues import raw_consumer
from shared.composition import App, app
from shared.messages import Received, queues

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=queues.SCAN_RESULTS, connection="SERVICE_BUS"
)
@raw_consumer(queues.SCAN_RESULTS)
async def take_scan_result(current: App, received: Received) -> None:
    """Keep what Defender for Storage found in an upload, and have the upload taken in."""
    await current.scan_results.take(received.body)


@blueprint.timer_trigger("timer", schedule="0 */15 * * * *")
async def watch_scanner(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Report, every quarter of an hour, a scanner that is down, outdated or silent."""
    await app().scanner_watch.check()
    await app().scan_results.report_missing()
