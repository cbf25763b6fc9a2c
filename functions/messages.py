"""Messages: the sweep of the outbox."""

import azure.functions as func

from shared import composition
from shared.composition.messages import MessagesFlow

blueprint = func.Blueprint()


@blueprint.timer_trigger("timer", schedule="0 * * * * *")
async def sweep_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Send, every minute, what a crash left committed but not sent."""
    await composition.flow(MessagesFlow).outbox.sweep()
