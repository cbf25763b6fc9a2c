"""The host's life: load the app, listen on every trigger, say ``ready``, stop in order."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from azure_functions_runtime import start_threadpool_executor, stop_threadpool_executor

from infra.local.host import logs
from infra.local.host.admin import Admin
from infra.local.host.blobs import blob_triggers
from infra.local.host.errors import StartupError
from infra.local.host.hostjson import HostSettings, read_host_json
from infra.local.host.http import HOMEPAGE_SETTING, HttpApp, body_limit, endpoints
from infra.local.host.invoke import Invoker
from infra.local.host.keys import access_keys
from infra.local.host.loading import Function, load
from infra.local.host.queues import queue_triggers
from infra.local.host.server import HttpServer, listen
from infra.local.host.settings import AppSettings
from infra.local.host.storage import CONNECTION as STORAGE_CONNECTION
from infra.local.host.storage import CONTAINER as HOSTS_CONTAINER
from infra.local.host.storage import HostStorage, container_client, host_id
from infra.local.host.timers import timers
from infra.local.host.webhook import Webhook

log = logging.getLogger("host")

NEED_STORAGE = frozenset(("timerTrigger", "blobTrigger"))


class Listener(Protocol):
    """One trigger at work."""

    async def run(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        """Listen and set ``ready``; on ``stopping`` finish the work in flight and return."""


async def run(folder: Path, port: int, environment: Mapping[str, str], grace: float) -> None:
    """Serve the app in this folder until SIGTERM or SIGINT.

    On the signal the host takes no new work. Work in flight has ``grace`` seconds to finish. Raises
    StartupError with every reason against the app or its settings.
    """
    stopping = _set_on_signals()
    app_settings = AppSettings(environment)
    settings = read_host_json(folder / "host.json", environment)
    in_flight: dict[str, str] = {}
    logs.start(settings.log_level, in_flight)
    start_threadpool_executor()
    app_settings.check()
    functions = load(folder)
    invoker = Invoker(in_flight, settings.function_timeout)
    storage = _storage(functions, app_settings, folder)
    try:
        admin, listeners = _triggers(
            folder, port, functions, app_settings, settings, invoker, storage
        )
        await _serve(listeners, admin, port, stopping, grace)
    finally:
        if storage is not None:
            await storage.close()
        stop_threadpool_executor()


def _set_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _triggers(
    folder: Path,
    port: int,
    functions: list[Function],
    app_settings: AppSettings,
    settings: HostSettings,
    invoker: Invoker,
    storage: HostStorage | None,
) -> tuple[Admin, list[Listener]]:
    """Build the admin endpoints and a listener for each trigger, on a bound port.

    Raises StartupError with every reason against the app or its settings.
    """
    enabled = [function for function in functions if not app_settings.disabled(function.name)]
    routes, keys, limit, clocks, queues, blobs = _all(
        lambda: endpoints(enabled, settings),
        lambda: access_keys(enabled, app_settings, folder),
        lambda: body_limit(app_settings),
        lambda: timers(functions, app_settings, invoker, storage),
        lambda: queue_triggers(enabled, app_settings, settings, invoker),
        lambda: blob_triggers(enabled, app_settings, settings, invoker, storage),
    )
    admin = Admin(
        host_id(app_settings, folder),
        functions,
        {trigger.function.name: trigger.fire for trigger in (*clocks, *queues)},
        {endpoint.function.name: endpoint.route.template for endpoint in routes},
        {function.name for function in functions} - {function.name for function in enabled},
    )
    homepage = (app_settings.get(HOMEPAGE_SETTING) or "").lower() != "true"
    events = {trigger.name: trigger.events for trigger in blobs if trigger.events is not None}
    app = HttpApp(routes, invoker, admin, limit, keys, Webhook(events), homepage=homepage)
    web = HttpServer(app, listen(port))
    guards = [] if keys is None else [keys]
    return admin, [web, *guards, *clocks, *queues, *blobs]


def _storage(functions: list[Function], settings: AppSettings, folder: Path) -> HostStorage | None:
    if not any(function.kind in NEED_STORAGE for function in functions):
        return None
    return HostStorage(
        container_client(settings, STORAGE_CONNECTION, HOSTS_CONTAINER), host_id(settings, folder)
    )


def _all(*parts: Callable[[], Any]) -> list[Any]:
    """Return each part's result. Raise StartupError with the reasons of every part that raised."""
    made: list[Any] = []
    wrong: list[str] = []
    for part in parts:
        try:
            made.append(part())
        except StartupError as refused:
            wrong += refused.lines
    if wrong:
        raise StartupError(*wrong)
    return made


async def _serve(
    listeners: list[Listener], admin: Admin, port: int, stopping: asyncio.Event, grace: float
) -> None:
    ready = [asyncio.Event() for _ in listeners]
    tasks = [
        asyncio.create_task(listener.run(event, stopping))
        for listener, event in zip(listeners, ready, strict=True)
    ]
    announcing = asyncio.create_task(_announce(ready, admin, port))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait((waiting, *tasks), return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    admin.state = "Stopping"
    log.info("stopping: no new work is taken")
    announcing.cancel()
    _, late = await asyncio.wait(tasks, timeout=grace)
    for task in late:
        task.cancel()
    if late:
        log.warning("gave up on invocations still running %.0f s after the signal", grace)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    # A listener ends only on request; any exception is a fault of the host.
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _announce(ready: list[asyncio.Event], admin: Admin, port: int) -> None:
    for event in ready:
        await event.wait()
    admin.state = "Running"
    print(f"ready on http://127.0.0.1:{port}", flush=True)
