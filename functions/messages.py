"""The sweep of the outbox, and the watch over dead letters."""

import azure.functions as func

from shared import composition
from shared.composition.messages import MessagesFlow

blueprint = func.Blueprint()


@blueprint.timer_trigger("timer", schedule="0 * * * * *")
async def sweep_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Send, every minute, what a crash left committed but not sent."""
    await composition.flow(MessagesFlow).outbox.sweep()


@blueprint.timer_trigger("timer", schedule="0 5/10 * * * *")
async def watch_dead_letters(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Open, every ten minutes, an incident for each queue with dead letters, once a day."""
    await composition.flow(MessagesFlow).dead_letters.watch()
