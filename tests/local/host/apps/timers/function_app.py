"""Timers that record each run."""

import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


def _record(name: str, timer: func.TimerRequest) -> None:
    line = json.dumps({"name": name, "past_due": timer.past_due, "status": timer.schedule_status})
    with Path(os.environ["RECORDS"]).open("a") as file:
        file.write(line + "\n")


@app.timer_trigger("timer", "* * * * * *")
async def every_second(timer: func.TimerRequest) -> None:
    _record("every_second", timer)


@app.timer_trigger("timer", "%YEARLY%", run_on_startup=True)
async def at_startup(timer: func.TimerRequest) -> None:
    _record("at_startup", timer)


@app.timer_trigger("timer", "0 0 6 * * *")
async def daily(timer: func.TimerRequest) -> None:
    _record("daily", timer)


@app.timer_trigger("timer", "0 0 6 * * *", use_monitor=False)
def unmonitored(timer: func.TimerRequest) -> None:
    _record("unmonitored", timer)
