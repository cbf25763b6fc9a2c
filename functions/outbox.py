"""The sweep of the outbox."""

import azure.functions as func

from shared.composition import app

blueprint = func.Blueprint()


@blueprint.timer_trigger("timer", schedule="0 * * * * *")
async def sweep_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Send, every minute, what a crash left committed but not sent."""
    await app().outbox.sweep()
