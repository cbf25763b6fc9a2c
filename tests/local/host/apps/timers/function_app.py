"""Timers that record each run."""

import asyncio
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


@app.timer_trigger("timer", "%HELD%")
async def held(timer: func.TimerRequest) -> None:
    _record("held", timer)
    await _gate()
    _record("held done", timer)


async def _gate() -> None:
    """Return once the file in the setting GATE exists."""
    while True:
        if _opened():
            return
        await asyncio.sleep(0.01)


def _opened() -> bool:
    return Path(os.environ["GATE"]).exists()
