"""Incidents: the watch over dead letters."""

import azure.functions as func

from shared import composition
from shared.composition.incidents import IncidentsFlow

blueprint = func.Blueprint()


@blueprint.timer_trigger("timer", schedule="0 5/10 * * * *")
async def watch_dead_letters(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Open, every ten minutes, an incident for each queue with dead letters, once a day."""
    await composition.flow(IncidentsFlow).dead_letters.watch()
