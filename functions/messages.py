"""The sweep of the outbox, and the watch over dead letters."""

import azure.functions as func

from shared.composition import app

blueprint = func.Blueprint()


@blueprint.timer_trigger("timer", schedule="0 * * * * *")
async def sweep_outbox(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Send, every minute, what a crash left committed but not sent."""
    await app().outbox.sweep()


@blueprint.timer_trigger("timer", schedule="0 5/10 * * * *")
async def watch_dead_letters(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Open, every ten minutes, an incident for each queue with dead letters, once a day."""
    await app().dead_letters.watch()
