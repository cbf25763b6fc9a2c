"""Messages: the sweep of the outbox, and the end of whole parked messages."""

import azure.functions as func

from shared import composition
from shared.composition.messages import MessagesFlow

blueprint = func.Blueprint()


@blueprint.timer_trigger("timer", schedule="0 * * * * *")
async def sweep_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Send, every minute, the messages and entries that a crash left in the outbox."""
    await composition.flow(MessagesFlow).outbox.sweep()


@blueprint.timer_trigger("timer", schedule="0 30 3 * * *")
async def tidy_parked(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Delete, every day, the whole parked messages older than 30 days."""
    await composition.flow(MessagesFlow).tidy_parked()
