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
from infra.local.host.hostjson import read_host_json
from infra.local.host.http import HOMEPAGE_SETTING, HttpApp, body_limit, endpoints
from infra.local.host.invoke import Invoker
from infra.local.host.keys import access_keys
from infra.local.host.loading import Function, load
from infra.local.host.queues import queue_triggers
from infra.local.host.refusals import RefusedError
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
        """Listen and set ``ready``; on ``stopping`` finish what is in flight and return."""


async def run(folder: Path, port: int, environment: Mapping[str, str], grace: float) -> None:
    """Serve the app in this folder until SIGTERM or SIGINT.

    On the signal no new work is taken and what is in flight has ``grace`` seconds to finish.
    Raises RefusedError with every reason why the app or its settings cannot be served.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    app_settings = AppSettings(environment)
    settings = read_host_json(folder / "host.json", environment)
    in_flight: dict[str, str] = {}
    logs.start(settings.log_level, in_flight)
    start_threadpool_executor()
    app_settings.check()
    functions = load(folder)
    enabled = [function for function in functions if not app_settings.disabled(function.name)]
    invoker = Invoker(in_flight, settings.function_timeout)
    (storage,) = _all(lambda: _storage(functions, app_settings, folder))
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
    events = {one.name: one.events for one in blobs if one.events is not None}
    app = HttpApp(routes, invoker, admin, limit, keys, Webhook(events), homepage=homepage)
    web = HttpServer(app, listen(port))
    guards = [] if keys is None else [keys]
    try:
        await _serve([web, *guards, *clocks, *queues, *blobs], admin, port, stopping, grace)
    finally:
        if storage is not None:
            await storage.close()
        stop_threadpool_executor()


def _storage(functions: list[Function], settings: AppSettings, folder: Path) -> HostStorage | None:
    if not any(function.kind in NEED_STORAGE for function in functions):
        return None
    return HostStorage(
        container_client(settings, STORAGE_CONNECTION, HOSTS_CONTAINER), host_id(settings, folder)
    )


def _all(*parts: Callable[[], Any]) -> list[Any]:
    """What each part returns; when any refuses, all their reasons at once."""
    made: list[Any] = []
    wrong: list[str] = []
    for part in parts:
        try:
            made.append(part())
        except RefusedError as refused:
            wrong += refused.lines
    if wrong:
        raise RefusedError(*wrong)
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
    # A listener ends only when it is told to; anything else is a fault of the host's own.
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _announce(ready: list[asyncio.Event], admin: Admin, port: int) -> None:
    for event in ready:
        await event.wait()
    admin.state = "Running"
    print(f"ready on http://127.0.0.1:{port}", flush=True)
